// Package txn runs application-level transactions over any [kv.Store].
//
//	v, err := txn.Do(ctx, db, func(tx *txn.Tx) (Reply, error) { ... })
//
// # The function may run more than once
//
// fn reads through the [Tx], computes, and writes through the Tx. [Do] then
// commits, and only then hands fn's result to the caller. If what fn read has
// changed meanwhile, everything fn made is dropped and fn runs again on a fresh
// snapshot. So nothing may leave fn but its result: what must happen after
// the commit goes into [Tx.OnCommit]. What fn captures and changes, it must
// reset when it begins. Other calls inside fn take [Tx.Context]; a nested
// Do or [View] of the same DB is refused with [ErrNested].
//
// # What a result is worth
//
//   - fn succeeded in Do: its reads held and its writes were applied, in one
//     atomic step between the call and its return.
//   - fn failed: its writes are dropped and its reads are validated. If they
//     no longer hold, the error was computed from the past: it is dropped too
//     and fn runs again. An error that reaches the caller was computed from a
//     state that was still current when it was reported.
//   - fn succeeded without writing anything, in View or Do: all reads came from
//     one snapshot, which is a state that existed between the call and its
//     return, and nothing more need be checked. Reads served from memory (see
//     [Validated]) are validated first.
//   - The outcome of the commit is unknown ([kv.ErrUnknown]): Do commits the
//     identical batch again until it is known, and releases the result that
//     belongs to it; fn does not run meanwhile. If ctx ends first, or the store
//     can no longer tell, or has not told for as long as the patience
//     ([WithPatience]), the error is an [*UnknownError] and the result is
//     withheld for good.
//
// What is written must fit one commit of the engine ([kv.Limits]) together with
// all that it rests on, else the error is a [kv.ErrTooLarge]. What is only
// looked at may be of any size: it is validated by reading it again.
//
// A read that the store could not answer fails the call, also where fn
// swallows the error: what was computed without it cannot be validated. A record
// that is damaged is an answer, a [*RecordError]: fn may go on without it, also
// where it was the engine that found it damaged. Keys that are read together
// are then read one by one, so that one of them does not keep the others.
//
// # Progress
//
// A transaction that loses backs off for a jittered moment; after three losses
// it takes a turn ([kv.Store.Turn]) on the keys it lost, and transactions that
// meet a key that was fought over lately queue for it before they read. See
// [DB] for the argument that none starves.
//
// # Records
//
// A [Record] is a kind of typed records, each of which knows its name; a
// [Single] is a kind of which there is one. Keys are
// <account>/<kind>/<segments of the name>..., in which the account and the
// segments are blinded by a keyed hash and the kind stays readable. Values are
// sealed together with their key. Names cannot be recovered from keys, so a
// value carries its own.
//
// Values are immutable: what Get returns may be shared with other
// transactions, and what Put was given is encoded when the transaction commits.
package txn
