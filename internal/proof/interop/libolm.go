//go:build libolm

package interop

import (
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	libolmc "maunium.net/go/mautrix/crypto/libolm"
	"maunium.net/go/mautrix/crypto/olm"
)

// Libolm is the C library, by cgo.
type Libolm struct{}

func libolm() []Implementation { return []Implementation{Libolm{}} }

// Name implements [Implementation].
func (Libolm) Name() string { return "libolm" }

// SkippedInAll implements [Implementation].
func (Libolm) SkippedInAll() int { return foreignSkipped }

// NewAccount implements [Implementation].
func (Libolm) NewAccount() (Account, error) {
	a, err := libolmc.NewAccount()
	if err != nil {
		return nil, err
	}
	return newForeignAccount(a)
}

// RestoreAccount implements [Implementation].
func (Libolm) RestoreAccount(state pickle.Account) (Account, error) {
	pickled, err := pickle.Seal([]byte(moveKey), state.Encode())
	if err != nil {
		return nil, err
	}
	a, err := libolmc.AccountFromPickled(pickled, []byte(moveKey))
	if err != nil {
		return nil, err
	}
	return newForeignAccount(a)
}

// Restore implements [Implementation].
func (Libolm) Restore(state pickle.Session) (Session, error) {
	pickled, err := sealSession(state, false)
	if err != nil {
		return nil, err
	}
	s, err := libolmc.SessionFromPickled(pickled, []byte(moveKey))
	if err != nil {
		return nil, err
	}
	return foreignSession{Session: s, initiated: state.Initiated}, nil
}

// Error implements [Implementation]. One name covers all that happens after
// decoding.
func (Libolm) Error(v Verdict) error {
	return map[Verdict]error{
		Malformed:    olm.ErrBadMessageFormat,
		WrongVersion: olm.ErrWrongProtocolVersion,
		WrongMAC:     olm.ErrBadMAC,
		KeyGone:      olm.ErrBadMAC,
		Gap:          olm.ErrBadMAC,
		UnknownChain: olm.ErrBadMAC,
	}[v]
}
