package vodozemac

import (
	"maps"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// pickledAccount is an account in JSON.
type pickledAccount struct {
	SigningKey  *signingKey   `json:"signing_key"`
	Identity    *bytes32      `json:"diffie_hellman_key"`
	OneTimeKeys *oneTimeKeys  `json:"one_time_keys"`
	Fallbacks   *fallbackKeys `json:"fallback_keys"`
}

// signingKey is a seed, or in an account that came from libolm what a seed expands to.
type signingKey struct {
	Normal   *bytes32 `json:"Normal"`
	Expanded *bytes64 `json:"Expanded"`
}

type oneTimeKeys struct {
	NextKeyID *uint64            `json:"next_key_id"`
	Public    map[uint64]bytes32 `json:"public_keys"` // of those that were not published
	Private   map[uint64]bytes32 `json:"private_keys"`
}

type fallbackKeys struct {
	KeyID    uint64       `json:"key_id"` // of the next one
	Current  *fallbackKey `json:"fallback_key"`
	Previous *fallbackKey `json:"previous_fallback_key"`
}

type fallbackKey struct {
	KeyID     uint64   `json:"key_id"`
	Key       *bytes32 `json:"key"`
	Published bool     `json:"published"`
}

// Account reads the pickle of an account. Its keys have no id: vodozemac names them in
// uploads by eleven characters, and Pawl and libolm by six, so none is ever another's.
// It fails with pickle.ErrKey, pickle.ErrDamaged or pickle.ErrVersion.
func Account(key []byte, pickled string) (pickle.Account, error) {
	var p pickledAccount
	if err := open(key, pickled, &p); err != nil {
		return pickle.Account{}, err
	}
	switch {
	case p.SigningKey == nil || p.Identity == nil || p.OneTimeKeys == nil || p.Fallbacks == nil:
		return pickle.Account{}, missing("a member of the account")
	case p.OneTimeKeys.NextKeyID == nil:
		return pickle.Account{}, missing("next_key_id")
	}
	a := pickle.Account{Identity: ratchet.NewKeyPair(ratchet.PrivateKey(*p.Identity))}
	var err error
	if a.Signing, err = p.SigningKey.restore(); err != nil {
		return pickle.Account{}, err
	}
	if a.OneTimeKeys, err = p.OneTimeKeys.restore(); err != nil {
		return pickle.Account{}, err
	}
	if a.Fallbacks, err = p.Fallbacks.restore(); err != nil {
		return pickle.Account{}, err
	}
	return a, nil
}

func (k *signingKey) restore() (account.SigningKey, error) {
	switch {
	case k.Normal != nil && k.Expanded == nil:
		return account.SeedSigningKey(account.Seed(*k.Normal)), nil
	case k.Expanded != nil && k.Normal == nil:
		return account.ExpandedSigningKey(account.ExpandedKey(*k.Expanded)), nil
	}
	return account.SigningKey{}, pickle.Damaged("no signing key, or two")
}

func (k *oneTimeKeys) restore() (keys []pickle.Key, err error) {
	if len(k.Private) > otk.MaxKeys {
		return nil, pickle.Damaged("%d one-time keys, at most %d", len(k.Private), otk.MaxKeys)
	}
	for _, id := range slices.Sorted(maps.Keys(k.Private)) {
		pair := ratchet.NewKeyPair(ratchet.PrivateKey(k.Private[id]))
		public, unpublished := k.Public[id]
		if unpublished && ratchet.PublicKey(public) != pair.Public() {
			return nil, pickle.Damaged("the parts of a one-time key do not belong together")
		}
		keys = append(keys, pickle.Key{Pair: pair, Published: !unpublished})
	}
	return keys, nil
}

func (k *fallbackKeys) restore() (keys []pickle.Key, err error) {
	for _, f := range []*fallbackKey{k.Current, k.Previous} {
		switch {
		case f == nil:
		case f.Key == nil:
			return nil, missing("a fallback key's key")
		default:
			keys = append(keys, pickle.Key{Pair: ratchet.NewKeyPair(ratchet.PrivateKey(*f.Key)), Published: f.Published})
		}
	}
	return keys, nil
}
