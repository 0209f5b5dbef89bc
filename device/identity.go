package device

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/matrix"
)

// Identity is a user's cross-signing keys (Matrix specification,
// "Cross-signing"). A key that is not there, or that its master key did not sign,
// is zero.
type Identity struct {
	User        matrix.UserID
	Master      account.VerifyKey
	SelfSigning account.VerifyKey // signs the user's devices
	UserSigning account.VerifyKey // signs others' master keys; only of the own user
	// VouchedBy is the own user-signing key that signed this master key, if one
	// did.
	VouchedBy account.VerifyKey
	// SignedHere is whether the own device signed this master key.
	SignedHere bool
}

// IsZero reports that the user has no cross-signing keys.
func (i Identity) IsZero() bool { return i.Master == (account.VerifyKey{}) }

// Signed is the identity with a signature on its master key: by the own user-signing key,
// or by the own device if it is the own identity. It is false for any other, and for one
// that does not hold over what clients make of a master key.
func (i Identity) Signed(own Own, by account.VerifyKey, signature account.Signature) (Identity, bool) {
	if i.IsZero() {
		return i, false
	}
	key, name := i.Master.String(), by.String()
	mine := i.User == own.User
	if mine {
		name = string(own.Device)
	}
	raw, err := json.Marshal(map[string]any{
		"user_id": i.User, "usage": []string{"master"}, "keys": map[string]string{"ed25519:" + key: key},
		"signatures": map[matrix.UserID]map[string]string{own.User: {"ed25519:" + name: signature.String()}},
	})
	if err != nil {
		return i, false
	}
	o, err := parseObject(raw)
	switch {
	case err != nil || by == (account.VerifyKey{}) || o.signed(own.User, name, by) != nil:
		return i, false
	case mine && by == own.Ed25519:
		i.SignedHere = true
	case !mine && by == own.Identity.UserSigning:
		i.VouchedBy = by
	default:
		return i, false
	}
	return i, true
}

// Own is the device that judges, and its user's cross-signing keys, as far as they
// are known.
type Own struct {
	Name
	Ed25519  account.VerifyKey
	Identity Identity
}

// rawIdentity is a user's cross-signing keys in an answer.
type rawIdentity struct{ master, selfSigning, userSigning json.RawMessage }

// parseIdentity verifies cross-signing keys. Without a believable master key there
// is no identity; another key that is not believable is left out and refused.
func parseIdentity(user matrix.UserID, raw rawIdentity, own Own) (i Identity, refused []error) {
	i.User = user
	if len(raw.master) == 0 {
		return i, nil
	}
	o, err := parseObject(raw.master)
	if err == nil {
		i.Master, err = crossSigningKey(user, "master", o)
	}
	if err != nil {
		return Identity{User: user}, []error{fmt.Errorf("master key: %w", err)}
	}
	if usk := own.Identity.UserSigning; user != own.User && o.signedByKey(own.User, usk) == nil {
		i.VouchedBy = usk
	}
	i.SignedHere = user == own.User && own.Device != "" && o.signed(user, string(own.Device), own.Ed25519) == nil
	for _, k := range []struct {
		usage string
		raw   json.RawMessage
		into  *account.VerifyKey
	}{{"self_signing", raw.selfSigning, &i.SelfSigning}, {"user_signing", raw.userSigning, &i.UserSigning}} {
		if len(k.raw) == 0 {
			continue
		}
		if *k.into, err = i.signedKey(k.usage, k.raw); err != nil {
			refused = append(refused, fmt.Errorf("%s key: %w", k.usage, err))
		}
	}
	return i, refused
}

// signedKey is a key that the master key signed.
func (i Identity) signedKey(usage string, raw json.RawMessage) (account.VerifyKey, error) {
	o, err := parseObject(raw)
	if err != nil {
		return account.VerifyKey{}, err
	}
	key, err := crossSigningKey(i.User, usage, o)
	if err == nil {
		err = o.signedByKey(i.User, i.Master)
	}
	if err != nil {
		return account.VerifyKey{}, err
	}
	return key, nil
}

// crossSigningKey reads a key object: of the user, for the usage, with one key whose
// id is the key.
func crossSigningKey(user matrix.UserID, usage string, o object) (key account.VerifyKey, err error) {
	if err := o.of(user); err != nil {
		return key, err
	}
	usages, err := o.texts("usage")
	if err != nil {
		return key, err
	}
	keys, err := o.keys()
	if err != nil {
		return key, err
	}
	if !slices.Contains(usages, usage) || len(keys) != 1 {
		return key, fmt.Errorf("%w: want one key for %s", ErrForm, usage)
	}
	for id, text := range keys {
		named, of := account.ParseVerifyKey(strings.TrimPrefix(id, "ed25519:"))
		if key, err = account.ParseVerifyKey(text); err != nil || of != nil || named != key || !strings.HasPrefix(id, "ed25519:") {
			return account.VerifyKey{}, fmt.Errorf("%w: the key is not what its id says", ErrForm)
		}
	}
	return key, nil
}
