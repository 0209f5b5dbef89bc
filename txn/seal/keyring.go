package seal

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/pawlkv/pawl/internal/secret"
	"golang.org/x/crypto/chacha20poly1305"
)

// StoreID names a store for its life, whatever the passphrase. It is public.
type StoreID [16]byte

// String returns 32 hexadecimal digits.
func (id StoreID) String() string { return hex.EncodeToString(id[:]) }

// Keyring seals, opens and blinds. It is immutable, does not print itself, and
// may be used by any number of goroutines. The zero Keyring is not valid.
type Keyring struct {
	secret.Guard
	store StoreID
	cost  Cost // recorded with it, if it is a passphrase's
	keys  secret.Value[keys]
}

// Create makes the keyring of a new store and returns it with the record that
// opens it again. Errors: ErrPassphrase (empty), ErrCost, those of rand.
func Create(rand io.Reader, u Unlock) (Keyring, []byte, error) {
	var data [keySize]byte
	var store StoreID
	if err := fill(rand, data[:], store[:]); err != nil {
		return Keyring{}, nil, err
	}
	k, err := newKeyring(data, store)
	if err != nil {
		return Keyring{}, nil, err
	}
	b, err := k.Rewrap(rand, u)
	return k, b, err
}

// Open returns the keyring of a record. Errors: ErrPassphrase, ErrFormat. It
// takes some 30 ms and 19 MiB with a passphrase, or what its Cost says.
func Open(b []byte, u Unlock) (Keyring, error) {
	r, err := decodeRecord(b)
	if err != nil {
		return Keyring{}, err
	}
	if u.kind != r.KDF || u.empty() {
		return Keyring{}, &KindError{Key: r.KDF == rawKey}
	}
	data, err := r.unwrap(u)
	if err != nil {
		return Keyring{}, err
	}
	k, err := newKeyring(data, StoreID(r.Store))
	k.cost = costOf(r.params())
	return k, err
}

// Check fails with ErrFormat or ErrVersion if no passphrase or key could open
// the record. It is quick.
func Check(b []byte) error {
	_, err := decodeRecord(b)
	return err
}

// Rewrap returns a record that opens the same keyring in another way. Once it
// has replaced the record before, that one's passphrase opens nothing but old
// copies of the store. Errors as for Create.
func (k Keyring) Rewrap(rand io.Reader, u Unlock) ([]byte, error) {
	if u.empty() {
		return nil, fmt.Errorf("%w: it is empty", ErrPassphrase)
	}
	p, err := paramsFor(u, k.cost)
	if err != nil {
		return nil, err
	}
	r := record{KDF: p.Kind, Time: p.Time, Memory: p.Memory, Threads: p.Threads, Store: k.store[:]}
	r.Salt = make([]byte, saltSize)
	nonce := make([]byte, chacha20poly1305.NonceSizeX, wrappedSize)
	if err := fill(rand, r.Salt, nonce); err != nil {
		return nil, err
	}
	if err := r.wrap(nonce, k.keys.Peek().data, u); err != nil {
		return nil, err
	}
	return r.encode()
}

// Store returns the id of the store.
func (k Keyring) Store() StoreID { return k.store }

// wrap sets r.Wrapped, behind the nonce.
func (r *record) wrap(nonce []byte, data [keySize]byte, u Unlock) error {
	key, err := r.params().wrappingKey(u, r.Salt)
	if err != nil {
		return err
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	bound, err := r.bound()
	if err != nil {
		return err
	}
	r.Wrapped = aead.Seal(nonce, nonce, data[:], bound)
	return nil
}

func (r *record) unwrap(u Unlock) (data [keySize]byte, err error) {
	key, err := r.params().wrappingKey(u, r.Salt)
	if err != nil {
		return data, err
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return data, fmt.Errorf("seal: %w", err)
	}
	bound, err := r.bound()
	if err != nil {
		return data, err
	}
	n := chacha20poly1305.NonceSizeX
	if _, err := aead.Open(data[:0], r.Wrapped[:n], r.Wrapped[n:], bound); err != nil {
		return data, ErrPassphrase
	}
	return data, nil
}

func fill(rand io.Reader, parts ...[]byte) error {
	for _, p := range parts {
		if _, err := io.ReadFull(rand, p); err != nil {
			return fmt.Errorf("seal: read randomness: %w", err)
		}
	}
	return nil
}
