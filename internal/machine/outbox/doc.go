// Package outbox has the requests of an account that wait to be sent: each is
// stored once, with a body that never changes, is leased to whoever asks for what
// is to be sent, and handed out again, byte for byte, until its answer is applied.
//
// Whoever waits for an answer need not wait for a frozen sender: after a second the
// request is handed out to that one too, once ([Patience]).
//
// A lease only saves work. Whoever froze with a request may send it when it
// wakes, after somebody else has; so a body must be harmless however often it
// arrives, or be one that is handed out once ([New.Once]).
//
// The package knows no kind's content: a [Handler] makes requests that are due,
// with [Add] in its own transactions, and applies answers.
package outbox
