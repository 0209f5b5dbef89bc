// Package stored measures what a client's machine does with its store: it
// decrypts what a sync brings, opens sessions, and shares the store with another
// process. It knows the systems only as a Bob each; Alice and everybody else is
// a Pawl machine in memory, whichever system Bob is, so that what Bob gets is
// made in one way.
package stored
