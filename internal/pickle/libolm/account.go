package libolm

import (
	"cmp"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// Versions of an account: 2 has no fallback keys, 3 always two places for them, and 4
// as many as there are.
const (
	accountBadSeal    = 1
	accountNoFallback = 2
	accountTwoPlaces  = 3
	accountNewest     = 4
)

const (
	keySize      = 4 + 1 + 32 + 32
	maxFallbacks = 2
)

// Account reads the pickle of an account:
//
//	version | Ed25519 public (32), private in expanded form (64) | Curve25519 public (32),
//	private (32) | one-time keys | fallback keys | id of the last key
//
// where a key is its id, whether it was published, and both parts. It fails with
// pickle.ErrKey, pickle.ErrDamaged or pickle.ErrVersion.
//
// The last field is the id of the last key that libolm made, though libolm calls it
// the next one's; goolm keeps the next one's. As the last one's it is safe for either.
func Account(key []byte, pickled string) (pickle.Account, error) {
	version, r, err := open(key, pickled, "account")
	if err != nil {
		return pickle.Account{}, err
	}
	defer r.close()
	switch {
	case version == accountBadSeal:
		return pickle.Account{}, pickle.Version("account of version 1, which libolm itself refuses: its keys were stored badly")
	case version < accountNoFallback || version > accountNewest:
		return pickle.Account{}, pickle.Version("account of version %d, want 2 to 4", version)
	}
	a := r.account(version)
	if err := r.end(); err != nil {
		return pickle.Account{}, err
	}
	return a, nil
}

func (r *reader) account(version uint32) (a pickle.Account) {
	public := account.VerifyKey(r.key())
	a.Signing = account.ExpandedSigningKey(account.ExpandedKey(r.take(64)))
	if r.err == nil && a.Signing.Public() != public {
		r.fail("the parts of the Ed25519 key do not belong together")
	}
	a.Identity = r.pair()
	for range r.list(r.uint32(), keySize, otk.MaxKeys, "one-time keys") {
		a.OneTimeKeys = append(a.OneTimeKeys, r.oneTimeKey())
	}
	// The newest comes first.
	slices.Reverse(a.OneTimeKeys)
	slices.SortStableFunc(a.OneTimeKeys, func(x, y pickle.Key) int { return cmp.Compare(x.ID, y.ID) })
	a.Fallbacks = r.fallbacks(version)
	a.LastID = otk.ID(r.uint32())
	for _, k := range slices.Concat(a.OneTimeKeys, a.Fallbacks) {
		a.LastID = max(a.LastID, k.ID)
	}
	return a
}

func (r *reader) fallbacks(version uint32) (keys []pickle.Key) {
	switch version {
	case accountTwoPlaces:
		// A key that is not marked as published is none, and so is one behind it.
		places := []pickle.Key{r.place(), r.place()}
		for len(keys) < len(places) && places[len(keys)].Published {
			keys = append(keys, places[len(keys)])
		}
	case accountNewest:
		for range r.list(uint32(r.byte()), keySize, maxFallbacks, "fallback keys") {
			keys = append(keys, r.oneTimeKey())
		}
	}
	return keys
}

// place reads the place of a key, which may be empty.
func (r *reader) place() pickle.Key {
	if len(r.rest) > 4 && r.rest[4] == 0 {
		r.take(keySize)
		return pickle.Key{}
	}
	return r.oneTimeKey()
}

func (r *reader) oneTimeKey() pickle.Key {
	id, published := otk.ID(r.uint32()), r.bool()
	return pickle.Key{ID: id, Published: published, Pair: r.pair()}
}

// pair reads a Curve25519 key pair and computes its public part.
func (r *reader) pair() ratchet.KeyPair {
	public, private := ratchet.PublicKey(r.key()), ratchet.PrivateKey(r.key())
	if r.err != nil {
		return ratchet.KeyPair{}
	}
	pair := ratchet.NewKeyPair(private)
	if pair.Public() != public {
		r.fail("the parts of a Curve25519 key do not belong together")
	}
	return pair
}
