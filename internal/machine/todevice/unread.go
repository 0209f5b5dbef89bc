package todevice

import (
	"errors"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// errKnown: what the message authenticates was decrypted before, with another MAC.
var errKnown = errors.New("pawl: the same message was decrypted before")

// errOwnKey: the key that a first message names was used by its own session, which was
// given up since.
var errOwnKey = errors.New("pawl: that is the message's own session")

// IsUnreadable reports whether the error of decrypting a message says that no session
// with its sender and no key of ours reads it, though it looks like one for us: it may
// be that the two sides do not agree any more. None of these says so:
//
//   - what was decrypted before, however it is packed now, or what is too old: its
//     key is gone, its chain is, or its session was pruned;
//   - what is malformed, of another version, or of another sender than it names;
//   - what was not tried in all sessions, or was read and refused;
//   - what damage keeps from being read: nobody knows what it is.
//
// A session or a key that was damaged and set aside is gone for good: what needs it is
// unreadable.
func IsUnreadable(err error) bool {
	var used *otk.UsedError
	switch {
	case err == nil, machine.IsDamage(err), errors.Is(err, errKnown):
		return false
	case errors.Is(err, session.ErrPruned):
		return machine.IsSetAside(err)
	case errors.As(err, &used):
		return !errors.Is(err, errOwnKey)
	}
	for _, of := range []error{ErrUnknownSession, ErrUnknownOneTimeKey, ratchet.ErrMAC, ratchet.ErrUnknownChain, ratchet.ErrGap} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}
