package seal

import (
	"errors"
	"fmt"
)

var (
	// ErrPassphrase: the passphrase or key is not the one that the keyring was
	// wrapped with. Ask for it again.
	ErrPassphrase = errors.New("seal: wrong passphrase or key")

	// ErrFormat: the keyring record is damaged. Restore it from a copy.
	ErrFormat = errors.New("seal: keyring record is damaged")

	// ErrVersion: the keyring record, or a sealed value, is of a newer format.
	// Nothing is wrong with it: update the program.
	ErrVersion = errors.New("seal: of a newer format: update the program")

	// ErrDamaged: a sealed value is damaged, belongs to another key path, or
	// was sealed by another keyring.
	ErrDamaged = errors.New("seal: the value is damaged or not of this key and store")
)

// KindError is an ErrPassphrase: the keyring was wrapped in the other way than the
// one that was given.
type KindError struct {
	Key bool // it was a key; else a passphrase
}

// Error implements error.
func (e *KindError) Error() string {
	was, given := "a passphrase", "a key"
	if e.Key {
		was, given = given, was
	}
	return fmt.Sprintf("%v: the store was sealed with %s, not %s", ErrPassphrase, was, given)
}

// Is makes errors.Is(err, ErrPassphrase) true.
func (e *KindError) Is(target error) bool { return target == ErrPassphrase }
