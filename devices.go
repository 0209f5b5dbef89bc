package pawl

import (
	"context"
	"encoding/json"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/matrix"
)

// DeviceInfo is a device of a user, as answers to /keys/query proved it.
type DeviceInfo struct {
	device.Keys
	// Trust is what is known of who is behind it.
	Trust device.Trust
	// Usable: it may be sent to. It is not where it is gone, or where another device
	// claims the same Curve25519 key and neither has proved to have it.
	Usable bool
	// SignedBy is the self-signing key that has signed it; zero: none has. Whose that is, and
	// whether it is the user's of now, is what Trust says.
	SignedBy account.VerifyKey
	Seen     time.Time // when it was first in an answer
	Gone     time.Time // since when answers leave it out; zero: it is there
}

// UserInfo is what is known of a user.
type UserInfo struct {
	User    matrix.UserID
	Devices []DeviceInfo // by their ids; at most device.MaxKept
	// Identity are the cross-signing keys; those of nobody if none are known.
	Identity device.Identity
	// Changed: the master key is not the one that was seen first or accepted since.
	// Until AcceptIdentity or VerifyIdentity none of the user's devices is trusted.
	Changed bool
	// Verified: somebody compared the master key, here or elsewhere, by an explicit
	// act. That it was seen first is nothing. Until the own user is verified nobody is.
	Verified bool
	// Compared: VerifyIdentity was told of this master key. The user is Verified by that
	// while the own user is, and while the key is not Changed.
	Compared bool
	// Current: an answer to /keys/query covers all changes that were heard of.
	Current bool
	// Refused are the first of the RefusedCount devices and keys of the last answer
	// that were not taken, each with its reason.
	Refused      []device.Rejected
	RefusedCount int
	// Damaged are records of the user that cannot be read, and are left out.
	Damaged int
}

// TrackUsers begins to follow the devices and identities of users: they are asked for
// (OutgoingRequests), and again whenever a sync says that they changed, until one says
// that they left. ShareRoomKey does so for the members of a room, and the own user is
// followed always. Sweep ends it for users with whose devices there are no sessions
// and who are in no room in which a key was shared. It takes a commit, or more where
// the engine takes less in one.
//
// It fails with matrix.ErrUserID, ErrFormat1 or account.ErrRetired.
func (m *Machine) TrackUsers(ctx context.Context, users ...matrix.UserID) error {
	return devices.Follow(ctx, m.account, users...)
}

// Devices returns what is known of a user's devices and identity, which may be the
// own user: no more than was asked for, of users with whom a room key was shared,
// say. Of whom nothing is known the answer is empty.
//
// It fails with ErrNoAccount.
func (m *Machine) Devices(ctx context.Context, user matrix.UserID) (UserInfo, error) {
	s, err := devices.Show(ctx, m.account, user)
	if err != nil {
		return UserInfo{}, err
	}
	u := UserInfo{
		User: user, Identity: s.Identity.Identity, Changed: s.Identity.Changed(), Verified: s.Verified, Compared: s.Identity.Compared(),
		Current: s.State == devices.Current, Refused: s.Tracking.Refused, RefusedCount: s.Tracking.RefusedCount,
		Damaged: len(s.Damaged),
	}
	for _, d := range s.Devices {
		u.Devices = append(u.Devices, DeviceInfo{d.Keys, d.Trust, d.Usable(), d.SignedBy, d.Seen, d.Gone})
	}
	return u, nil
}

// AcceptIdentity notes that it is known, and no matter, that a user has another
// master key than before: this one, which the caller has shown. It makes nobody
// verified.
//
// It fails with ErrIdentity if the user's master key is another by now, or none is
// known, ErrFormat1 or account.ErrRetired.
func (m *Machine) AcceptIdentity(ctx context.Context, user matrix.UserID, master account.VerifyKey) error {
	return devices.Accept(ctx, m.account, user, master)
}

// VerifyIdentity notes that somebody has compared a user's master key with the user:
// it is this one. A change is accepted with it.
//
// Begin with the own user, whose master key makes others verified: those whom its
// user-signing key has signed, and those who were compared here. Until it is trusted,
// by this call or by a signature of this device (Sign), nobody is verified: a server
// may have invented it. What is said of others before is kept, and counts from then
// on. Without cross-signing keys of the own user nobody ever is.
//
// It fails as AcceptIdentity does.
func (m *Machine) VerifyIdentity(ctx context.Context, user matrix.UserID, master account.VerifyKey) error {
	return devices.Verify(ctx, m.account, user, master)
}

// TakeSignature takes in a signature on a user's master key before an answer to /keys/query
// shows it: one that the program has made with the own user-signing key on another user's,
// or with this device's key (Sign) on the own one. What follows from it is as from an
// answer, and the next answer goes before it: upload it first.
//
// It returns whether the user's identity has it. It does not take one on another master key
// than the one that is known, by another key, or that does not hold over a master key as
// clients make it, without anything else beside it.
//
// It fails with kv.ErrCorrupt if the identity cannot be read, ErrFormat1 or
// account.ErrRetired.
func (m *Machine) TakeSignature(ctx context.Context, user matrix.UserID, master, by account.VerifyKey, signature account.Signature) (bool, error) {
	return devices.TakeSignature(ctx, m.account, user, master, by, signature)
}

// Sign signs a JSON object with the account's Ed25519 key, as the Matrix
// specification has it (appendix "Signing JSON"), and returns it with this signature
// and those that it has: the own master key, say, for
// /keys/signatures/upload. Once the server shows that signature on the own master
// key, the own identity is trusted as after VerifyIdentity.
//
// It fails with an error of package canonicaljson for what is no object or has no
// canonical form (code "json"), with ErrNeedsRecovery, ErrUnwitnessed or
// account.ErrRetired.
func (m *Machine) Sign(ctx context.Context, object json.RawMessage) (json.RawMessage, error) {
	return devices.Sign(ctx, m.account, object)
}
