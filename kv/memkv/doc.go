// Package memkv is the engine for tests and simulation: a [kv.Store] in the
// memory of one process, with everything that the contract asks for and
// nothing kept after Close.
//
// The entries are in a copy-on-write B-tree. A snapshot is an O(1) copy of it,
// a commit checks what was read against the tree and writes to it under one
// lock. All commits are alike: Batch.Sync changes nothing.
//
// It does what it is told at once and takes no time, so that a test decides
// when things happen: [WithTimer] replaces the clock of the turns, and the
// wrappers of kv/kvtest/faulty stop and fail calls from outside.
package memkv
