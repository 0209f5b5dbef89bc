package records

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/txn"
)

// Replay says which event has used an index of a session. There is one for every
// message that was read, so it is small: what it is of stands in its key alone,
// where the sealing binds it.
type Replay struct {
	ReplayName
	Event EventDigest
}

// ReplayName names a message of a session. In what a scan yields the session is
// zero.
type ReplayName struct {
	Session group.SessionID
	Index   uint32
}

// EventDigest stands for the id of an event: 16 bytes of a keyed hash.
type EventDigest [16]byte

// Replays: replay/<session id>/<index>.
var Replays = txn.Record[ReplayName, Replay]{
	Kind: "replay", Codec: machine.Encoded[Replay]{Read: decodeReplay},
	Name: func(r Replay) ReplayName { return r.ReplayName },
	Path: func(n ReplayName) txn.Path {
		return txn.PathOf(n.Session.String(), strconv.FormatUint(uint64(n.Index), 10))
	},
}

func replayKind() Kind {
	return Kind{Records: replaysStored(), Check: checkReplays, Sweep: sweepReplays}
}

// replayShare is what deleting one takes of a commit.
var replayShare = machine.Share{Bytes: 256, Writes: 1, Checks: 1}

const (
	replayVersion = 2
	replayFields  = 2
	replaySize    = 32
)

// Encode returns the record without its session.
func (r Replay) Encode() ([]byte, error) {
	return record.Encode(replayVersion, replayFields, replaySize, func(w *record.Writer) {
		w.Uint(uint64(r.Index))
		w.Bytes(r.Event[:])
	}), nil
}

func decodeReplay(b []byte) (r Replay, err error) {
	err = record.Decode("replay", b, replayVersion, replayFields, func(in *record.Reader) {
		r.Index = uint32(in.Uint(1<<32 - 1))
		in.Fixed(r.Event[:])
	})
	if err != nil {
		return Replay{}, err
	}
	return r, nil
}

// replaysStored compares of the names what the records know.
func replaysStored() *Stored {
	return &Stored{
		Kind:  Replays.Kind,
		Count: func(tx *txn.Tx, damaged *machine.Damages) (int, error) { return count(tx, &Replays, damaged) },
		look: func(c *Checkup, k *Kind) error {
			for e, err := range Replays.Stored(c.Tx) {
				if err != nil {
					return err
				}
				own := ""
				if e.Err == nil {
					if own, err = replayKey(c.Tx, e.Key, e.Value); err != nil {
						return err
					}
				}
				if err := c.see(k, e.Key, own, e.Version, e.Err); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// replayKey returns the key that a record is of, if it is of the session that it is
// stored under.
func replayKey(tx *txn.Tx, at string, r Replay) (string, error) {
	own, err := Replays.Key(tx, r.ReplayName)
	if err != nil {
		return "", err
	}
	return at[:strings.LastIndexByte(at, '/')+1] + own[strings.LastIndexByte(own, '/')+1:], nil
}

// checkReplays: a place is one of a session that there is. Of one that is gone no
// event can be read, and what comes again of it must not be refused for that.
func checkReplays(c *Checkup) {
	if c.anyUnread(GroupIns.Kind) || c.aside[GroupIns.Kind] {
		return // it may be of those
	}
	of := map[string]bool{}
	for in := range readable(c, &GroupIns.Record) {
		key, err := Replays.Key(c.Tx, ReplayName{Session: in.ID()})
		if err != nil {
			return
		}
		of[key[:strings.LastIndexByte(key, '/')]] = true
	}
	gone := map[string]bool{}
	for e, err := range Replays.Stored(c.Tx) {
		if err != nil {
			return
		}
		if under := e.Key[:strings.LastIndexByte(e.Key, '/')]; e.Err == nil && !of[under] && !gone[under] {
			gone[under] = true
			c.Find(Replays.Kind, dropReplays(under), "events have places in a session that is missing")
		}
	}
}

// dropReplays removes the places in a session, by the keys that they stand under.
// There may be any number, so they are listed in a view.
func dropReplays(under string) *Fix {
	return &Fix{"remove them", func(ctx context.Context, a *machine.Account) error {
		keys, err := txn.View(ctx, a.DB, func(tx *txn.Tx) (keys []string, err error) {
			for e, err := range tx.Entries(under + "/") {
				if err != nil {
					return nil, err
				}
				keys = append(keys, e.Key)
			}
			return keys, nil
		})
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(keys, a.Store.PerCommit(replayShare)) {
			err := a.Do(ctx, func(tx *txn.Tx) error {
				_, err := a.Active(tx)
				for _, key := range chunk {
					err = cmp.Or(err, tx.Drop(key))
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}}
}

// sweepReplays deletes what is of messages below the floor of their session: those
// are refused whatever event they come in.
func sweepReplays(ctx context.Context, s *Sweep) error {
	below, err := txn.View(ctx, s.Account.DB, func(tx *txn.Tx) (below []ReplayName, err error) {
		for in, err := range GroupIns.Scan(tx) {
			switch {
			case machine.IsDamage(err):
				continue
			case err != nil:
				return nil, err
			case in.Floor() == 0:
				continue
			}
			for r, err := range Replays.ScanUnder(tx, txn.PathOf(in.ID().String())) {
				if err != nil && !s.Damaged.Note(err) {
					return nil, err
				}
				if err == nil && uint64(r.Index) < in.Floor() {
					below = append(below, ReplayName{in.ID(), r.Index})
				}
			}
		}
		return below, nil
	})
	if err != nil {
		return err
	}
	// A floor is never lowered: there is nothing to look at again.
	for chunk := range slices.Chunk(below, s.Account.Store.PerCommit(replayShare)) {
		err := s.Account.Do(ctx, func(tx *txn.Tx) error {
			_, err := s.Account.Active(tx)
			for _, n := range chunk {
				err = cmp.Or(err, Replays.Delete(tx, n))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
