// Package roomkeys keeps the Megolm sessions that others send in: keys as they come
// (received, forwarded, imported), notices that one is withheld, what is forgotten
// on purpose, and reading the events of rooms.
//
// A key that comes is joined to what is stored without reading it, so that any number
// of processes may import the same keys at once. Whose a key is stands with it; who
// that is, and how far they are trusted, is looked up when an event is read, and so
// is always as current as the answers to /keys/query.
package roomkeys
