// Package seal encrypts the records of a store and blinds the names in their
// keys.
//
// A [Keyring] holds a random data key. It is stored wrapped, in one record of
// its own, by a key that comes from a passphrase (Argon2id) or from a raw key
// that the platform keeps. So changing the passphrase rewrites one record and
// no other:
//
//	k, record, err := seal.Create(rand.Reader, seal.Passphrase(p))
//	k, err = seal.Open(record, seal.Passphrase(p))
//	record, err = k.Rewrap(rand.Reader, seal.Passphrase(q))
//
// Values are sealed with XChaCha20-Poly1305 under random nonces, with the key
// path as associated data: an entry that was moved to another key does not
// open. Names are blinded with HMAC-SHA-256, the same name always to the same
// 22 characters, so that keys can be looked up and not read. What an observer
// of the store still sees: how many records of which kind there are, which
// share a name, how long they are and when they change. Nothing here keeps an
// older value of the same key from being put back.
package seal
