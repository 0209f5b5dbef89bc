// Package receive takes in what a sync brings: it decrypts to-device events, checks
// what they say, hands each to the package that it is for, and moves the token on
// when all that it covers is committed.
//
// What must hold whatever happens between two commits: a token that is stored
// covers no event that was not committed, it never goes back, and nothing in one
// event keeps the others, or the token, from moving on. Events come again, to this
// process or another, in part and in any order; receipts tell them apart.
package receive
