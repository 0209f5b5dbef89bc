// Package aftermath judges what a store says after something happened to its
// files: a power failure, damage, a lost end.
//
// A Life is what one device did in a store, call by call, and what the world
// outside saw of it after each: which message keys were used, which key ids
// were offered, which messages were read. Tests let it be lived on an engine,
// make of the engine's files what the accident leaves, open that, and ask the
// Life for its judgement. It is the same for every engine: an answer is right,
// or it is a clear refusal; it is never a wrong plaintext, a key that was used
// before, a peer that is suddenly unknown, or something acknowledged that is
// gone and nobody says so.
package aftermath
