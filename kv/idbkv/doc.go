// Package idbkv is the kv.Store on IndexedDB: one database of an origin, which any
// number of tabs, workers and service workers may have open at the same time. It is
// there for js/wasm alone; [docs/indexeddb.md] has what a client must know.
//
// # How a commit goes
//
// The commits of a program wait in a queue. One goroutine opens one readwrite
// transaction for those that wait, and asks in one wave for all that they check.
// From then on everything happens in the callbacks of requests: a step compares,
// puts, and the transaction commits. No step waits for anything, since a
// transaction whose requests are all answered ends by itself. The browser lets one
// such transaction at a time at the store, in whichever tab; a commit that still waits for
// others is taken back when its caller gives up, and then certainly not applied.
//
// # What is promised
//
// A commit with Batch.Sync asks for strict durability, by which the browser says that
// it has handed everything to the disk before it answers; one without is relaxed.
// Open fails where the browser does not say that it is strict, unless [WithoutSync]
// gives that up.
//
// # Views
//
// Each call on a view is a readonly transaction. A view moves on: a call that
// finds a newer state looks in the log of changes whether all that the view has
// returned still stands, and is kv.ErrConflict if it does not.
//
// # Several tabs
//
// Whoever has committed rings a BroadcastChannel, and who watches reads the log.
// Turns are Web Locks, which the browser takes back from a tab that is gone; who has
// a turn leaves a note in the store, which every commit sees in its own transaction.
//
// [docs/indexeddb.md]: https://github.com/pawlkv/pawl/blob/main/docs/indexeddb.md
package idbkv
