// Package machine is what every call of an account stands on: the opened
// [Store] with its database, clock, randomness and log; the [Account], whose
// record each call reads; and typed records that know their own names. The
// folders below it are the calls. It knows none of them, and nothing of
// messages.
package machine
