package records

import (
	"context"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Unsettled marks the room keys that came from a device that no answer to
// /keys/query has shown yet: of a Curve25519 key, whose it says it is. The keys
// themselves are kept like all others. The mark goes when an answer shows the
// device; whether that is the device it said shows then wherever the keys are used.
type Unsettled struct {
	Key      ratchet.PublicKey
	User     matrix.UserID     // who sent the messages, as the server says
	Claimed  account.VerifyKey // Ed25519, as the newest message says
	Sessions []group.SessionID // whose keys came meanwhile
}

// MaxUnsettled bounds the sessions that a device which nobody knows can make us
// keep. More are refused, and those that are kept stay.
const MaxUnsettled = 256

// Unsettleds: unsettled/<Curve25519 key>.
var Unsettleds = txn.Record[ratchet.PublicKey, Unsettled]{
	Kind: "unsettled", Codec: machine.Encoded[Unsettled]{Read: decodeUnsettled},
	Name: func(u Unsettled) ratchet.PublicKey { return u.Key },
	Path: txn.Spelled[ratchet.PublicKey],
}

func unsettledKind() Kind { return Kind{Records: many(&Unsettleds), Sweep: sweepUnsettled} }

// UnsettledShare is what taking a mark takes of a commit.
var UnsettledShare = machine.Share{Bytes: 1 << 10, Writes: 1, Checks: 2}

// sweepUnsettled takes the marks of devices that have become known meanwhile, and of
// those of which no session is left.
func sweepUnsettled(ctx context.Context, s *Sweep) error {
	kept, err := txn.View(ctx, s.Account.DB, sessionsIfMarked)
	if err != nil || kept == nil {
		return err
	}
	over := func(tx *txn.Tx, u Unsettled) (bool, error) {
		_, owned, err := OwnerOf(tx, u.Key)
		return owned || !slices.ContainsFunc(u.Sessions, kept), err
	}
	_, err = machine.Delete(&Unsettleds, UnsettledShare, &s.Damaged, over).All(ctx, s.Account)
	return err
}

// sessionsIfMarked returns whether a session is stored, or may be, and nil if nothing
// is marked.
func sessionsIfMarked(tx *txn.Tx) (kept func(group.SessionID) bool, err error) {
	marked := false
	for _, err := range Unsettleds.Scan(tx) {
		if marked = true; err != nil && !machine.IsDamage(err) {
			return nil, err
		}
	}
	if !marked {
		return nil, nil
	}
	stored := map[group.SessionID]bool{}
	unread := false
	for in, err := range GroupIns.Scan(tx) {
		switch {
		case machine.IsDamage(err):
			unread = true
		case err != nil:
			return nil, err
		default:
			stored[in.ID()] = true
		}
	}
	return func(id group.SessionID) bool { return unread || stored[id] }, nil
}

// Add returns the mark with one session more, and whether there was room for it.
func (u Unsettled) Add(id group.SessionID) (next Unsettled, ok bool) {
	switch {
	case slices.Contains(u.Sessions, id):
		return u, true
	case len(u.Sessions) >= MaxUnsettled:
		return u, false
	}
	u.Sessions = append(slices.Clip(u.Sessions), id)
	return u, true
}

const (
	unsettledVersion = 2
	unsettledFields  = 4
)

// Encode returns the record.
func (u Unsettled) Encode() ([]byte, error) {
	if err := u.User.Check(); err != nil || len(u.Sessions) == 0 || len(u.Sessions) > MaxUnsettled {
		return nil, fmt.Errorf("%w: %d unsettled sessions", record.ErrFormat, len(u.Sessions))
	}
	size := 128 + len(u.User) + 34*len(u.Sessions)
	return record.Encode(unsettledVersion, unsettledFields, size, func(w *record.Writer) {
		w.Bytes(u.Key[:])
		w.Text(string(u.User))
		w.Bytes(u.Claimed[:])
		writeSessions(w, u.Sessions)
	}), nil
}

func decodeUnsettled(b []byte) (u Unsettled, err error) {
	err = record.Decode("unsettled", b, unsettledVersion, unsettledFields, func(r *record.Reader) {
		r.Fixed(u.Key[:])
		u.User = matrix.UserID(r.Text(matrix.MaxLength))
		r.Fixed(u.Claimed[:])
		u.Sessions = readSessions(r, MaxUnsettled)
		if r.OK() {
			r.FailWith(u.User.Check())
		}
	})
	if err != nil {
		return Unsettled{}, err
	}
	return u, nil
}
