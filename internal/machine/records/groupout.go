package records

import (
	"context"
	"strings"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// SharedMemory is how long it is known who was given the key of a session that is
// used no more, and the key can be given to them again.
const SharedMemory = 14 * 24 * time.Hour

// Outbound: the Megolm session that we send in, group-out/<room>.
var Outbound = txn.Record[matrix.RoomID, group.Outbound]{
	Kind: "group-out", Codec: machine.Encoded[group.Outbound]{Read: group.DecodeOutbound},
	Name: group.Outbound.Room,
	Path: func(n matrix.RoomID) txn.Path { return txn.PathOf(string(n)) },
}

// RoomSession names a session of a room.
type RoomSession struct {
	Room matrix.RoomID
	ID   group.SessionID
}

// OldOutbound: sessions that we sent in, group-old/<room>/<session id>.
var OldOutbound = txn.Record[RoomSession, group.Outbound]{
	Kind: "group-old", Codec: machine.Encoded[group.Outbound]{Read: group.DecodeOutbound},
	Name: func(o group.Outbound) RoomSession { return RoomSession{o.Room(), o.ID()} },
	Path: func(n RoomSession) txn.Path { return txn.PathOf(string(n.Room), n.ID.String()) },
}

// ShareName names what a device was told of a session.
type ShareName struct {
	RoomSession
	User   matrix.UserID
	Device matrix.DeviceID
}

// Shares: what devices were told of our sessions, group-shared/<room>/<session
// id>/<user>/<device>.
var Shares = txn.Record[ShareName, group.Share]{
	Kind: "group-shared", Codec: machine.Encoded[group.Share]{Read: group.DecodeShare},
	Name: func(s group.Share) ShareName {
		return ShareName{RoomSession{s.Room, s.Session}, s.User, s.Device}
	},
	Path: func(n ShareName) txn.Path {
		return txn.PathOf(string(n.Room), n.ID.String(), string(n.User), string(n.Device))
	},
}

func sharedKind() Kind { return Kind{Records: many(&Shares), Check: checkShares, Sweep: sweepShares} }

func groupOldKind() Kind {
	return Kind{Records: many(&OldOutbound), Check: checkOldOutbound, Sweep: sweepOldOutbound}
}

func groupOutKind() Kind { return Kind{Records: many(&Outbound), Sweep: sweepOutbound} }

// outboundShare and sharedShare are what changing such a record takes of a commit:
// they have 600 and 900 bytes at most. Whose a share is stands in one of two.
var (
	outboundShare = machine.Share{Bytes: 1 << 10, Writes: 1, Checks: 1}
	sharedShare   = machine.Share{Bytes: 1 << 10, Writes: 1, Checks: 3}
)

// ReadOutbound reads a session that we send in, or sent in; ok is false if it is
// not there any more.
func ReadOutbound(tx *txn.Tx, n RoomSession) (o group.Outbound, ok bool, err error) {
	if o, ok, err = OldOutbound.Get(tx, n); ok || err != nil && !machine.IsSetAside(err) {
		return o, ok, err
	}
	o, ok, err = Outbound.Get(tx, n.Room)
	if machine.IsSetAside(err) || err == nil && ok && o.ID() != n.ID {
		return group.Outbound{}, false, nil
	}
	return o, ok, err
}

// over reports whether a session was given up so long ago that nobody is given its
// key any more. One that was given up in the future was given up now.
func over(o group.Outbound, now time.Time) bool {
	at, why := o.Retired()
	return why != group.Kept && now.Sub(at) >= SharedMemory
}

func ahead(o group.Outbound, now time.Time) bool {
	at, why := o.Retired()
	return why != group.Kept && at.After(now)
}

// sweepShares deletes what was told of sessions that are over, or that are not
// there.
func sweepShares(ctx context.Context, s *Sweep) error {
	ended := func(tx *txn.Tx, share group.Share) (bool, error) {
		o, ok, err := ReadOutbound(tx, RoomSession{share.Room, share.Session})
		return err == nil && (!ok || over(o, s.Now)), err
	}
	_, err := machine.Delete(&Shares, sharedShare, &s.Damaged, ended).All(ctx, s.Account)
	return err
}

func sweepOldOutbound(ctx context.Context, s *Sweep) error {
	return sweepSessionsOut(ctx, s, &OldOutbound)
}

func sweepOutbound(ctx context.Context, s *Sweep) error { return sweepSessionsOut(ctx, s, &Outbound) }

// sweepSessionsOut deletes sessions that are over.
func sweepSessionsOut[N any](ctx context.Context, s *Sweep, r *txn.Record[N, group.Outbound]) error {
	_, err := machine.Change[N, group.Outbound]{
		Records: r, Each: outboundShare, Damaged: &s.Damaged,
		If: func(_ *txn.Tx, o group.Outbound) (bool, error) { return over(o, s.Now) || ahead(o, s.Now), nil },
		Do: func(tx *txn.Tx, o group.Outbound) error {
			if ahead(o, s.Now) {
				return r.Put(tx, o.RetiredAt(s.Now))
			}
			return r.Delete(tx, r.Name(o))
		},
	}.All(ctx, s.Account)
	return err
}

// GivenTo returns what a device was told of a session, if it is the device that was
// told: of another key it was told nothing.
func GivenTo(tx *txn.Tx, n ShareName, key ratchet.PublicKey) (group.Share, bool, error) {
	share, ok, err := Shares.Get(tx, n)
	if machine.IsSetAside(err) || err == nil && ok && share.Key != key {
		return group.Share{}, false, nil
	}
	return share, ok, err
}

// WasTold reports whether a device of a user was told something of a session.
func WasTold(tx *txn.Tx, n RoomSession, user matrix.UserID) (bool, error) {
	for _, err := range Shares.Some(tx, txn.PathOf(string(n.Room), n.ID.String(), string(user)), 1) {
		if err != nil && !machine.IsDamage(err) {
			return false, err
		}
		return true, nil
	}
	return false, nil
}

// LostShares returns how many devices were told something of a session that was set
// aside since, of which nobody knows any more whose it was.
func LostShares(tx *txn.Tx, n RoomSession) (lost int, err error) {
	key, err := Shares.Key(tx, ShareName{n, "user", "device"})
	if err != nil {
		return 0, err
	}
	for range 2 {
		key = key[:strings.LastIndexByte(key, '/')]
	}
	for _, err := range tx.Entries(key + "/") {
		if err != nil {
			return 0, err
		}
		lost++
	}
	for _, err := range Shares.ScanUnder(tx, txn.PathOf(string(n.Room), n.ID.String())) {
		if err != nil && !machine.IsDamage(err) {
			return 0, err
		}
		lost--
	}
	return lost, nil
}
