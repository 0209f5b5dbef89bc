package interop

import (
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	"maunium.net/go/mautrix/crypto/goolm/account"
	"maunium.net/go/mautrix/crypto/goolm/session"
	"maunium.net/go/mautrix/crypto/olm"
)

// Goolm is the Go implementation in maunium.net/go/mautrix.
type Goolm struct{}

// Name implements [Implementation].
func (Goolm) Name() string { return "goolm" }

// SkippedInAll implements [Implementation].
func (Goolm) SkippedInAll() int { return foreignSkipped }

// NewAccount implements [Implementation].
func (Goolm) NewAccount() (Account, error) {
	a, err := account.NewAccount()
	if err != nil {
		return nil, err
	}
	return newForeignAccount(a)
}

// RestoreAccount implements [Implementation].
func (Goolm) RestoreAccount(state pickle.Account) (Account, error) {
	pickled, err := pickle.Seal([]byte(moveKey), state.Encode())
	if err != nil {
		return nil, err
	}
	a, err := account.AccountFromPickled(pickled, []byte(moveKey))
	if err != nil {
		return nil, err
	}
	return newForeignAccount(a)
}

// Restore implements [Implementation]. goolm keeps skipped keys oldest first
// and takes a pickle's order for that, although libolm writes the newest
// first: after a move through a plain pickle it would drop the wrong ones.
func (Goolm) Restore(state pickle.Session) (Session, error) {
	pickled, err := sealSession(state, true)
	if err != nil {
		return nil, err
	}
	s, err := session.OlmSessionFromPickled(pickled, []byte(moveKey))
	if err != nil {
		return nil, err
	}
	return foreignSession{Session: s, initiated: state.Initiated, oldestFirst: true}, nil
}

// Error implements [Implementation].
func (Goolm) Error(v Verdict) error {
	return map[Verdict]error{
		Malformed:    olm.ErrBadMessageFormat,
		WrongVersion: olm.ErrWrongProtocolVersion,
		WrongMAC:     olm.ErrBadMAC,
		KeyGone:      olm.ErrMessageKeyNotFound,
		Gap:          olm.ErrMsgIndexTooHigh,
		UnknownChain: olm.ErrProtocolViolation,
	}[v]
}

// newForeignSession wraps a session of either foreign implementation.
func newForeignSession(s olm.Session, initiated bool) Session {
	_, isGoolm := s.(*session.OlmSession)
	return foreignSession{Session: s, initiated: initiated, oldestFirst: isGoolm}
}
