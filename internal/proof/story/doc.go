// Package story is the test kit that tries to break a device which several
// handles use at once.
//
// A [World] is one Pawl account (the device) in one kv.Store, any number of
// [Handle]s on it, each standing for a process, and a far side (a [Peer]). Its
// [Ledger] notes everything that left any of them, and holds it against the
// oracles: see [Oracle]. Nothing is asserted about how the device works inside.
// Where a Setting has a Start, the handles are of real processes; see [Device].
//
// Three things drive a World:
//
//   - a test, step by step: the named stories;
//   - [Rounds]: random rounds with goroutines that really run at once;
//   - [Run]: a [Program], with a scheduler that lets exactly one actor proceed
//     for each call on the store and may crash it or fault the call. The same
//     program and decisions always give the same run. [Shrink] makes a failing
//     one small, and its text form is kept and replayed.
//
// A [Journey] is a life of its own: one device whose store, or place in the
// server's queue, goes back to any earlier point, and which is recovered.
//
// A [Design] puts something between a handle and the store. With the design of
// a stale cache the oracles must fail: what cannot catch that proves nothing.
package story
