package seal

import "errors"

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
