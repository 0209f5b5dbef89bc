// Package pickle opens what other implementations of Olm and Megolm pickle, and says
// what such a pickle holds as values of this module.
//
// A pickle is the base64 of a ciphertext and eight bytes of MAC. Both libolm's and
// vodozemac's are sealed in the same way ([Open]); what is inside differs, and is read
// by the packages below. Nothing is written in these forms.
//
// All of it is pure: no file, no clock, no randomness. Nothing here changes, and all
// of it is safe for concurrent use.
package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// Errors of reading a pickle. Each wraps one of these.
var (
	// ErrKey: the pickle does not authenticate: the pickle key is another, or the
	// pickle was changed.
	ErrKey = errors.New("pickle: wrong pickle key")
	// ErrDamaged: the pickle is cut, or authenticates and holds what no program writes.
	ErrDamaged = errors.New("pickle: damaged")
	// ErrVersion: the pickle is of a version, or a form, that is not read.
	ErrVersion = errors.New("pickle: version is not read")
)

// MaxSize bounds a pickle in bytes of base64: an account of vodozemac's with all keys
// that it keeps takes 1.1 MB.
const MaxSize = 4 << 20

// Account is what the pickle of an account holds. Public and private parts belong
// together.
type Account struct {
	secret.Guard
	Identity    ratchet.KeyPair
	Signing     account.SigningKey
	OneTimeKeys []Key // in the order in which they were made
	Fallbacks   []Key // the current one first, at most two
	// LastID is an id that no lower one may be given out after, as keys of this module
	// are named; 0 where the program names its keys in another form.
	LastID otk.ID
}

// Key is a one-time or fallback key.
type Key struct {
	secret.Guard
	ID        otk.ID // 0 where its name in uploads has another form
	Pair      ratchet.KeyPair
	Published bool // it was marked as published; else nobody knows
}

// Inbound is a Megolm session that somebody sends in.
type Inbound struct {
	secret.Guard
	Key group.Key // at the first index known
	// Signed: the key came in the form that the session's owner signs. Else it came
	// from a file, a backup or another device.
	Signed bool
}

// Damaged is an ErrDamaged that says why.
func Damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Version is an ErrVersion that says which.
func Version(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrVersion, fmt.Sprintf(format, args...))
}

// SessionFrom is ratchet.FromParts, with ErrDamaged where it fails.
func SessionFrom(p ratchet.Parts) (ratchet.Session, error) {
	s, err := ratchet.FromParts(p)
	if err != nil {
		return ratchet.Session{}, Damaged("session: %v", err)
	}
	return s, nil
}

// GroupKey makes a room key of what pickles have of it: the parts of its ratchet (128
// bytes), their index, and the Ed25519 key that names the session.
func GroupKey(parts [128]byte, index uint32, id [32]byte) (group.Key, error) {
	b := binary.BigEndian.AppendUint32([]byte{1}, index) // the export format
	b = append(append(b, parts[:]...), id[:]...)
	defer clear(b)
	k, err := group.ParseExportedKey(b)
	if err != nil {
		return group.Key{}, Damaged("room key: %v", err)
	}
	return k, nil
}
