// Package pawl keeps a Matrix device's end-to-end encryption state in a
// versioned key-value store, so that any number of goroutines and handles can
// use one device at the same time without ever wedging a session, reusing a
// message key, or losing or double-publishing a one-time key.
//
// [Open] puts Pawl on a store that the caller opened:
//
//	engine, err := badgerkv.Open(dir)
//	store, err := pawl.Open(ctx, engine, pawl.WithPassphrase(passphrase))
//	alice, err := store.Create(ctx, "@alice:example.org", "PHONE")
//
// A [Machine] is one account. Each of its methods is one transaction, or a
// bounded number of them where it takes many messages: it reads
// a snapshot, advances the ratchet on a copy, and commits only if nothing it
// read has changed; otherwise it runs again. Nothing leaves before the commit
// is durable. Machines keep no state of their own: any number of them, on any
// number of handles, may work on one account.
//
// # Errors
//
// An error of a message or of the caller (bad MAC, unknown one-time key, no
// session) means that nothing changed and that the answer was current when it
// was given; see the variables of this package and of packages ratchet, otk and
// account. Errors of the store are those of package kv. kv.ErrConflict does
// not reach callers. kv.ErrUnknown means that the outcome could not be learned:
// nothing was released, and the call may simply be made again. [CodeOf] names
// errors for programs that are not written in Go, and says what may be done.
package pawl
