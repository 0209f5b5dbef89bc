// Package copykv brings one kv.Store to the content of another, whatever their
// engines: the same keys with the same bytes. Versions are the target's own.
//
// [Bring] copies what a snapshot shows and [Verify] compares it, entry by entry.
// Bringing a target that was brought before moves only what differs, so that a
// store that goes on changing can be followed until it rests. What the snapshot
// showed is returned as a [kv.ScanRead]: with it in a batch, a commit on the
// source succeeds only if the source is still what was copied.
package copykv
