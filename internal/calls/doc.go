// Package calls is what programs call that are not written in Go: the name of a call,
// its parameters as JSON, and JSON as its result. A [Library] has the stores that such
// a program opened, and numbers for them; [Names] are all calls.
//
// cmd/libpawl, the C library, and package mobile are built on it. A library for another
// language hands over bytes and numbers, and nothing else: what can be said is decided
// here, once.
//
// # Parameters and results
//
// Both are JSON objects with "v": 1, the version of this form, and in each the same
// things are written the same way: names of fields with underscores; keys, ids of
// sessions and signatures as Matrix has them (base64 without padding), ids of receipts
// and requests in hexadecimal; bytes as base64 without padding; JSON that others wrote,
// or that is to be sent, as a text, so that its bytes are kept and nothing in it keeps
// the rest from being read; times as milliseconds since 1970, and what lasts as
// milliseconds; kinds and states as words. What is absent is null, "" or left out.
// docs/calls.txt lists every field; a test holds it against the code.
//
// What is large, or secret, or not known to be JSON goes beside the parameters, as
// bytes: the response of a sync, say.
//
// A parameter that a call does not know is refused: a program that gives it means
// something by it. Results get more fields with time, and programs pass over those
// that they do not know. Nothing is ever taken away or renamed.
package calls
