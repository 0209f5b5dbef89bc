package pawlmautrix

import (
	"context"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/matrix"
)

// signed are the signatures on a key: by user and key.
type signed map[id.UserID]map[id.Ed25519]string

func keyName(user id.UserID, key id.Ed25519) string { return string(user) + " " + string(key) }

// PutSignature implements crypto.Store. One of the own user's on a master key is Pawl's from
// then on, before the server has shown it.
func (s *Store) PutSignature(ctx context.Context, user id.UserID, key id.Ed25519, by id.UserID, byKey id.Ed25519, signature string) error {
	if err := s.tellSignature(ctx, user, key, by, byKey, signature); err != nil {
		return err
	}
	return change(ctx, s, spaceSignatures, keyName(user, key), func(v *signed, _ bool) (bool, error) {
		if *v == nil {
			*v = signed{}
		}
		if (*v)[by] == nil {
			(*v)[by] = map[id.Ed25519]string{}
		}
		changed := (*v)[by][byKey] != signature
		(*v)[by][byKey] = signature
		return changed, nil
	})
}

// tellSignature has Pawl take a signature, if it is of a kind that says who is verified.
func (s *Store) tellSignature(ctx context.Context, user id.UserID, key id.Ed25519, by id.UserID, byKey id.Ed25519, signature string) error {
	own, err := s.machine.Identity(ctx)
	if err != nil || by != id.UserID(own.UserID) {
		return err
	}
	master, wrong := account.ParseVerifyKey(string(key))
	signer, alsoWrong := account.ParseVerifyKey(string(byKey))
	signed, notEither := account.ParseSignature(signature)
	if wrong != nil || alsoWrong != nil || notEither != nil {
		return nil // mautrix-go's to judge
	}
	_, err = s.machine.TakeSignature(ctx, matrix.UserID(user), master, signer, signed)
	return err
}

// GetSignaturesForKeyBy implements crypto.Store: those that mautrix-go has put. Of those
// that Pawl has verified it keeps that they are there, and not the signatures.
func (s *Store) GetSignaturesForKeyBy(ctx context.Context, user id.UserID, key id.Ed25519, by id.UserID) (map[id.Ed25519]string, error) {
	v, _, err := read[signed](ctx, s, spaceSignatures, keyName(user, key))
	if v[by] == nil {
		return map[id.Ed25519]string{}, err
	}
	return v[by], err
}

// IsKeySignedBy implements crypto.Store: Pawl has verified the signature, or mautrix-go has
// put it, and Pawl knows nothing that speaks against it.
func (s *Store) IsKeySignedBy(ctx context.Context, user id.UserID, key id.Ed25519, by id.UserID, byKey id.Ed25519) (bool, error) {
	info, err := s.machine.Devices(ctx, matrix.UserID(user))
	if err != nil {
		return false, err
	}
	own, err := s.machine.Identity(ctx)
	if err != nil {
		return false, err
	}
	if is, decided := vouched(info, key, by, byKey, id.UserID(own.UserID)); decided {
		return is, nil
	}
	v, _, err := read[signed](ctx, s, spaceSignatures, keyName(user, key))
	return err == nil && v[by][byKey] != "", err
}

// vouched reports whether Pawl has verified a signature on a key of a user, and whether
// that is all there is to say. On master keys that is Pawl's word on who is verified: that
// somebody has compared one here is as good as a signature by the own keys, and one by own
// keys that nobody has verified is none. Other signatures Pawl may not have seen yet.
func vouched(u pawl.UserInfo, key id.Ed25519, by id.UserID, byKey id.Ed25519, own id.UserID) (is, decided bool) {
	if u.Identity.IsZero() {
		return false, false
	}
	same := func(k account.VerifyKey, name id.Ed25519) bool {
		return k != (account.VerifyKey{}) && id.Ed25519(k.String()) == name
	}
	self := by == id.UserID(u.User)
	switch {
	case same(u.Identity.Master, key):
		is = by == own && u.Verified
		return is, is || by == own && u.Current
	case same(u.Identity.SelfSigning, key), same(u.Identity.UserSigning, key):
		is = self && same(u.Identity.Master, byKey)
		return is, is
	}
	for _, d := range u.Devices {
		if same(d.Ed25519, key) {
			is = self && d.SignedBy == u.Identity.SelfSigning && same(u.Identity.SelfSigning, byKey)
			return is, is
		}
	}
	return false, false
}

// DropSignaturesByKey implements crypto.Store. It returns how many mautrix-go had put.
func (s *Store) DropSignaturesByKey(ctx context.Context, by id.UserID, byKey id.Ed25519) (dropped int64, err error) {
	all, err := rows[signed](ctx, s, spaceSignatures)
	if err != nil {
		return 0, err
	}
	for name, v := range all {
		if _, ok := v[by][byKey]; !ok {
			continue
		}
		had := false
		err := change(ctx, s, spaceSignatures, name, func(v *signed, _ bool) (bool, error) {
			_, had = (*v)[by][byKey]
			delete((*v)[by], byKey)
			return had, nil
		})
		if err != nil {
			return dropped, err
		}
		if had {
			dropped++
		}
	}
	return dropped, nil
}
