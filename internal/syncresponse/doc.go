// Package syncresponse reads what a client's encryption needs of a sync: to-device
// events, counts of one-time keys, changed device lists, tokens, and what happened
// to the members, the encryption and the history visibility of rooms.
//
// There are three forms: /sync, simplified sliding sync (MSC4186) and the
// transaction that a server sends to an application service. They differ in where
// things are and in what it means that they are missing; see [Form].
//
// A response may have a hundred megabytes, most of which are nobody's business
// here: it is walked through, validated meanwhile, and what is kept are places in it. Events are
// not decoded: one that is malformed is for the caller to pass over, and does not
// make the response so.
package syncresponse
