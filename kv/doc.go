// Package kv is the smallest storage contract that Pawl needs and that every
// engine can keep: versioned entries, consistent snapshots, and one atomic
// commit that is applied only if what the caller read still holds.
//
// # Reading and committing
//
// A caller takes a [Snapshot], reads through it, computes, and hands a [Batch]
// to [Store.Commit]: what it read ([Batch.Reads], [Batch.Scans]) and what it
// wants to write. The engine applies all writes or none, and applies them only
// if every read and scan still yields what it yielded. Commits are
// linearizable, and all that a snapshot returns was so at one moment between two
// of them, not before any commit that returned before the snapshot's first call.
// A snapshot may stay at that moment or move on as long as it can.
//
// # Versions
//
// Each commit with writes gets a [Version] higher than all before it. An entry
// carries the version of the commit that wrote it; version 0 means that there
// is no entry. Two commits may share a version only if they write no key in
// common, so a key at a version always has one value. Versions stay below 2^53
// ([MaxVersion]).
//
// # Limits
//
// How much one commit writes and checks, how many commit IDs are kept and how long
// a turn lasts belong to the engine, which tells it: [Store.Limits]. Every engine
// reaches [Floor]; those of this module have [Embedded]. What is more is
// [ErrTooLarge], and the caller splits it.
//
// # Outcomes of a commit
//
// Exactly one of these happens; [Outcome] names them, and says what a caller does
// at a first try and at a later one:
//
//   - A version and no error: applied, visible to every later snapshot, and
//     durable if [Batch.Sync] was set. What was derived in the attempt (a
//     message key, say) may be used and its ciphertext released.
//   - [ErrConflict]: certainly not applied, and never will be. Discard what
//     was derived, read again, run again. After a try of unknown outcome it is
//     final only if this try said so ([Batch.Again]): then the engine has
//     recorded the ID as refused, and what arrives late is [ErrRefused].
//   - [ErrUnknown]: may have been applied, or be applied later. Neither
//     release what was derived nor derive anew: commit the identical batch
//     with [Batch.Again] until another outcome is known, or until it is said
//     that none will be (ErrExpired, ErrUndecided).
//   - [ErrUnavailable], [ErrUnusable], [ErrClosed], [ErrTooLarge],
//     [ErrDiskFull], [ErrInvalid], and a context's error: certainly not applied,
//     and never will be. Discard what was derived. Only ErrUnavailable passes by
//     waiting.
//   - [ErrCorrupt]: not applied; the store is damaged and says where.
//
// A context that ends while a commit is under way gives the context's error if
// the batch was certainly not applied, and ErrUnknown (wrapping the context's
// error) otherwise.
package kv
