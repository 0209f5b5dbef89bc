package device

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/matrix"
)

// object is a signed JSON object whose members are found by their exact names.
type object struct {
	raw     []byte
	members map[string]json.RawMessage
}

func parseObject(raw []byte) (object, error) {
	o := object{raw: raw}
	if err := json.Unmarshal(raw, &o.members); err != nil || o.members == nil {
		return o, fmt.Errorf("%w: not an object", ErrForm)
	}
	return o, nil
}

// member is read strictly, as what is signed is: of two members of one name, which
// readers would disagree about, there is then no signature.
func (o object) member(name string) (any, error) {
	raw, there := o.members[name]
	if !there {
		return nil, fmt.Errorf("%w: no %s", ErrForm, name)
	}
	v, err := canonicaljson.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrForm, name, err)
	}
	return v, nil
}

func (o object) text(name string) (string, error) {
	v, err := o.member(name)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%w: %s is not a string", ErrForm, name)
	}
	return s, nil
}

// texts is an array of strings.
func (o object) texts(name string) ([]string, error) {
	v, err := o.member(name)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: %s is not an array", ErrForm, name)
	}
	var all []string
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, fmt.Errorf("%w: %s has something else than strings", ErrForm, name)
		}
		all = append(all, s)
	}
	return all, nil
}

// keys are the object's public keys by their ids.
func (o object) keys() (map[string]string, error) {
	v, err := o.member("keys")
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: keys is not an object", ErrForm)
	}
	all := map[string]string{}
	for id, key := range m {
		s, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("%w: a key is not a string", ErrForm)
		}
		all[id] = s
	}
	return all, nil
}

// of fails unless the object says whose it is.
func (o object) of(user matrix.UserID) error {
	is, err := o.text("user_id")
	if err != nil {
		return err
	}
	if is != string(user) {
		return fmt.Errorf("%w: it is of %q", ErrNames, is)
	}
	return nil
}

// signed fails unless a key of a user has signed the object. The name of a
// cross-signing key is the key itself.
func (o object) signed(by matrix.UserID, name string, key account.VerifyKey) error {
	if err := account.VerifyJSON(o.raw, by, matrix.DeviceID(name), key); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsigned, err)
	}
	return nil
}

// signedByKey is signed for a cross-signing key, whose name may be written in more
// than one way.
func (o object) signedByKey(by matrix.UserID, key account.VerifyKey) error {
	if key == (account.VerifyKey{}) {
		return fmt.Errorf("%w: there is no key", ErrUnsigned)
	}
	err := o.signed(by, key.String(), key)
	for _, name := range o.signers(by) {
		if err == nil {
			break
		}
		if other, wrong := account.ParseVerifyKey(name); wrong == nil && other == key {
			err = o.signed(by, name, key)
		}
	}
	return err
}

// signers are the names of the Ed25519 keys of a user that have signed the object.
func (o object) signers(by matrix.UserID) (names []string) {
	var users map[matrix.UserID]json.RawMessage
	var own map[string]json.RawMessage
	if json.Unmarshal(o.members["signatures"], &users) != nil || json.Unmarshal(users[by], &own) != nil {
		return nil
	}
	for id := range own {
		if name, ok := strings.CutPrefix(id, "ed25519:"); ok {
			names = append(names, name)
		}
	}
	return names
}
