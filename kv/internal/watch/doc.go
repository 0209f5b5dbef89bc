// Package watch rings the doorbells of kv.Store.Watch, within one process.
// Engines share it: a [Hub] is told of each commit and serves any number of
// watchers.
//
// The hub keeps one log of the newest changes, deletions too, and a watcher is
// a place in that log. So memory is bounded however many watchers there are and
// however slow they read; a watcher whose place has left the log gets a resync
// mark. Changes are coalesced when they are read.
package watch
