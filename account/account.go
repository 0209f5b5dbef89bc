package account

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// Account is the identity of one device.
type Account struct {
	secret.Guard
	user     matrix.UserID
	device   matrix.DeviceID
	identity ratchet.KeyPair
	signing  SigningKey
	created  time.Time
	retired  Retirement
	recovery Recovery
	raised   bool // is of format 2, and has what follows
	lineage  Lineage
}

// Retirement says that an account was moved, when and where to. The zero
// Retirement means that it was not.
type Retirement struct {
	At     time.Time
	Target string // names the store it moved to
	Path   string // where that store was
}

// New makes an account with new keys. It reads 64 bytes from rand: the private
// identity key, then the signing seed. It fails with
// [matrix.ErrUserID], [matrix.ErrDeviceID] or rand's error.
func New(rand io.Reader, user matrix.UserID, device matrix.DeviceID, now time.Time) (Account, error) {
	identity, err := ratchet.GenerateKeyPair(rand)
	if err != nil {
		return Account{}, err
	}
	signing, err := GenerateSigningKey(rand)
	if err != nil {
		return Account{}, err
	}
	return Restore(user, device, identity, signing, now)
}

// Restore makes an account of keys from elsewhere. It fails with
// [matrix.ErrUserID], [matrix.ErrDeviceID] or [ErrFormat] (a key is missing).
func Restore(user matrix.UserID, device matrix.DeviceID, identity ratchet.KeyPair, signing SigningKey, created time.Time) (Account, error) {
	if err := user.Check(); err != nil {
		return Account{}, err
	}
	if err := device.Check(); err != nil {
		return Account{}, err
	}
	if identity.IsZero() || signing.expanded.IsZero() {
		return Account{}, fmt.Errorf("account: %w: a key is missing", ErrFormat)
	}
	return Account{user: user, device: device, identity: identity, signing: signing, created: record.Time(created)}, nil
}

// User returns the user id.
func (a Account) User() matrix.UserID { return a.user }

// Device returns the device id.
func (a Account) Device() matrix.DeviceID { return a.device }

// Identity returns the Curve25519 identity key, which names the device in
// encrypted events.
func (a Account) Identity() ratchet.PublicKey { return a.identity.Public() }

// Fingerprint returns the Ed25519 key that the device signs with.
func (a Account) Fingerprint() VerifyKey { return a.signing.public }

// IdentityPair returns the identity key pair, for pickles only.
func (a Account) IdentityPair() ratchet.KeyPair { return a.identity }

// SigningKey returns the signing key, for pickles only.
func (a Account) SigningKey() SigningKey { return a.signing }

// Created returns when the account was made.
func (a Account) Created() time.Time { return a.created }

// Retired returns where the account moved and whether it did.
func (a Account) Retired() (Retirement, bool) { return a.retired, !a.retired.At.IsZero() }

// Retire returns the account marked as moved: from then on it neither signs
// uploads nor opens sessions.
func (a Account) Retire(to Retirement) Account {
	if to.At.IsZero() {
		to.At = time.UnixMilli(1) // a broken clock must not leave the mark out
	}
	to.At = record.Time(to.At)
	// A path may have any bytes, a record has text.
	to.Target, to.Path = strings.ToValidUTF8(to.Target, "?"), strings.ToValidUTF8(to.Path, "?")
	a.retired = to
	return a
}

// Check computes the public keys again and fails with [ErrFormat] if they are
// not the stored ones.
func (a Account) Check() error {
	if ratchet.NewKeyPair(a.identity.Private()).Public() != a.identity.Public() {
		return fmt.Errorf("%w: the account's identity key does not match its private part", ErrFormat)
	}
	if ExpandedSigningKey(a.signing.Expanded()).public != a.signing.public {
		return fmt.Errorf("%w: the account's signing key does not match its private part", ErrFormat)
	}
	return nil
}

// beingDeleted is the Target, and the Path, of an account that is being deleted: older
// programs take it for one that was moved, and change nothing of it. Stores have random
// ids.
const beingDeleted = "deleted"

// Delete returns the account marked as one whose records are being deleted. It is a
// Retired one, too.
func (a Account) Delete(now time.Time) Account {
	return a.Retire(Retirement{At: now, Target: beingDeleted, Path: beingDeleted})
}

// Deleted reports whether the account's records are being deleted.
func (a Account) Deleted() bool { return a.retired.Target == beingDeleted }

func (a Account) checkActive() error {
	if r, retired := a.Retired(); retired {
		return fmt.Errorf("%w: to %q", ErrRetired, r.Path)
	}
	return nil
}
