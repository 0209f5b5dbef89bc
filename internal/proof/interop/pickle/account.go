package pickle

import "fmt"

const accountVersion = 4

// maxFallback is current and previous.
const maxFallback = 2

// Account is the whole state of an Olm account, as raw bytes.
type Account struct {
	SigningPublic   [32]byte
	SigningPrivate  [64]byte // expanded: clamped scalar and prefix, no seed
	IdentityPublic  [32]byte
	IdentityPrivate [32]byte
	OneTimeKeys     []OneTimeKey // newest first
	FallbackKeys    []OneTimeKey // current, previous
	LastID          uint32       // of the last key made by libolm; goolm keeps the next one here
}

// OneTimeKey is a one-time or a fallback key.
type OneTimeKey struct {
	ID              uint32
	Published       bool
	Public, Private [32]byte
}

// DecodeAccount reads raw account bytes of version 4; the error wraps
// [ErrPickle].
func DecodeAccount(raw []byte) (Account, error) {
	r := &reader{b: raw}
	if version := r.u32(); r.err == nil && version != accountVersion {
		return Account{}, fmt.Errorf("%w: account version %d", ErrPickle, version)
	}
	a := Account{SigningPublic: r.key(), SigningPrivate: [64]byte(r.take(64)), IdentityPublic: r.key(), IdentityPrivate: r.key()}
	for range r.count() {
		a.OneTimeKeys = append(a.OneTimeKeys, r.oneTimeKey())
	}
	for range min(r.u8(), maxFallback) {
		a.FallbackKeys = append(a.FallbackKeys, r.oneTimeKey())
	}
	a.LastID = r.u32()
	return a, r.end()
}

func (r *reader) oneTimeKey() OneTimeKey {
	return OneTimeKey{ID: r.u32(), Published: r.bool(), Public: r.key(), Private: r.key()}
}

// Encode returns the raw bytes of version 4.
func (a Account) Encode() []byte {
	b := appendU32(nil, accountVersion)
	b = append(b, a.SigningPublic[:]...)
	b = append(b, a.SigningPrivate[:]...)
	b = append(b, a.IdentityPublic[:]...)
	b = append(b, a.IdentityPrivate[:]...)
	b = appendU32(b, uint32(len(a.OneTimeKeys)))
	for _, k := range a.OneTimeKeys {
		b = k.append(b)
	}
	b = append(b, byte(len(a.FallbackKeys)))
	for _, k := range a.FallbackKeys {
		b = k.append(b)
	}
	return appendU32(b, a.LastID)
}

func (k OneTimeKey) append(b []byte) []byte {
	b = appendU32(b, k.ID)
	b = appendBool(b, k.Published)
	b = append(b, k.Public[:]...)
	return append(b, k.Private[:]...)
}
