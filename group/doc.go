// Package group is Megolm, m.megolm.v1.aes-sha2 of the Matrix specification,
// message version 3: one sender, and any number of receivers who were given the
// room key.
//
// # Values
//
// Nothing here changes. A [Sender] encrypts and returns the next Sender; a [Key]
// decrypts every message from its index on, and is the same afterwards:
//
//	sender, err := group.NewSender(rand)
//	shared, err := sender.Share()                // m.room_key carries it
//	sender, message, err := sender.Encrypt(text) // store sender before message leaves
//
//	key, err := group.ParseSharedKey(shared)
//	m, err := group.ParseMessage(message)
//	text, err := key.Decrypt(m)
//
// Whoever keeps a Sender must store the next one before the message leaves the
// process: encrypting twice from one Sender uses one message key, and one IV,
// for two texts. That is what the caller's transaction has to rule out.
//
// # The ratchet
//
// A key at index i yields all keys from i on and none before. Four parts of 32
// bytes make any later index reachable within 1020 hashes ([Key.Advance]): R_3
// moves at each message, R_2 at each 256th, which gives R_3 anew, and so on.
// Indices do not wrap: the last one is never used to encrypt ([ErrExhausted]).
//
// # What a signature proves
//
// The session's id is its Ed25519 key, which the sender alone can sign with. Each
// message is signed, and so is the sharing format ([ParseSharedKey]): that the
// ratchet is the sender's own. The export format ([ParseExportedKey]) is not, and
// whoever wrote it may have made its ratchet up; then genuine messages fail with
// [ErrMAC]. Who gave us a key decides how far it is trusted: see [Provenance].
//
// # Records
//
// [Inbound] is what is stored of a session that others send in, [Outbound] of our
// own, [Share] of a device that may have the key, [Withheld] of a notice that
// somebody will not give it.
//
// Whether one index carried two events is the caller's to remember: a Key opens a
// message as often as it comes.
//
// Types that hold keys print as redacted and refuse JSON. Nothing here reads a
// clock, a file or a random source of its own. All types are safe for concurrent
// use.
package group
