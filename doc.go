// Package pawl keeps a Matrix device's end-to-end encryption state in a
// versioned key-value store, so that any number of goroutines and processes can
// use one device at the same time without ever wedging a session, reusing a
// message key, or losing or double-publishing a one-time key.
//
// # What to use first
//
// [Open] puts Pawl on a store that the caller opened, and a [Machine] is one
// account in it:
//
//	engine, err := badgerkv.Open(dir)
//	store, err := pawl.Open(ctx, engine, pawl.WithPassphrase(passphrase))
//	alice, err := store.OpenOrCreate(ctx, "@alice:example.org", "PHONE")
//
// The engine: kv/badgerkv, unless a process may be suspended at any moment, as
// on a phone; there kv/sqlitekv, in which no process has to answer another. Both
// may be opened by several processes. kv/memkv is for tests.
//
// Then, again and again: [Machine.OutgoingRequests], which are sent, and
// [Machine.MarkSent] or [Machine.MarkFailed] for each; [Machine.NextSync] and
// [Machine.ReceiveSync]; [Machine.DecryptRoomEvent], and [Machine.WaitForRoomKey]
// where there is no key; [Machine.Acknowledge] once to-device events are stored. To
// send, [Machine.ShareRoomKey] until it is done, and [Machine.EncryptRoomEvent].
// [Machine.Sweep] about once a day. docs/client.md has the whole loop. Who needs Olm
// alone uses [Machine.KeysForUpload], [Machine.DecryptBatch] and [Machine.Encrypt].
// All options have a good default but the key.
// Of a store that may be restored from a backup, see [WithWitness] and
// [Machine.Recover].
//
// # What a call does
//
// Each method is one transaction, or several where it takes many messages or
// records: as many as the engine's limits need. It reads a snapshot, advances the
// ratchet on a copy, and commits only if nothing it read has changed; otherwise
// it runs again. Nothing leaves before the commit is durable.
//
// So all state is in the store: any number of Machines, in any number of
// processes, may work on one account, and none has to be told what another did.
// A Machine remembers hints, the names of its peers' sessions, to ask for them in
// one round trip; nothing else follows from a hint, right or wrong.
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
//
// # Compatibility
//
// What is stored: every record begins with the version of its format, and
// docs/format.md has the bytes. A store that one release has written opens with
// every later one. A record that a newer release wrote is refused with an error
// that says so (code "newer"), and left as it is.
//
// What is sent: Olm messages and upload bodies are those of the Matrix
// specification, and are tested against libolm and goolm. Processes that share a
// store agree on the newest protocol that both speak: that of their own release,
// and the one before (docs/processes.md).
//
// What is called: version 0 says that the Go API may change with each minor
// version (v0.2.0), and CHANGELOG.md then says how; it says nothing less about
// what is stored and sent. Patch versions (v0.1.1) change nothing that is
// documented. Codes of errors are never renamed. Packages below internal and
// bench are nobody's to import.
package pawl
