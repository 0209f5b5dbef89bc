package roomkeys

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/txn"
)

// Result is what a key changed, as the attempt found it that was committed.
type Result int

const (
	// Same: what came was known already.
	Same Result = iota
	// New: the session was not known.
	New
	// Better: it reaches further back than before, or its provenance is better.
	Better
	// Replaced: it is not of the ratchet that was stored, and better. That one was
	// given up.
	Replaced
	// Noted: a notice was kept.
	Noted
	// Ignored: a notice that says nothing new, or that is of nobody.
	Ignored
)

// String is a word.
func (r Result) String() string {
	names := [...]string{"same", "new", "better", "replaced", "noted", "ignored"}
	if r < 0 || int(r) >= len(names) {
		return fmt.Sprintf("result %d", int(r))
	}
	return names[r]
}

// add joins the key of a session to what is stored. Where the key changes something
// and fits, nothing is read: whoever adds another one meanwhile is in nobody's way.
func (k *Keys) add(tx *txn.Tx, in group.Inbound) (Outcome, error) {
	out := Outcome{Room: in.Room(), Session: in.ID(), Provenance: in.Copies()[0].Provenance}
	stored, ok, err := records.GroupIns.Peek(tx, in.ID())
	switch {
	case machine.IsSetAside(err): // what was there is gone, and known to be
		if _, _, err := records.GroupIns.Get(tx, in.ID()); !machine.IsSetAside(err) {
			return Outcome{}, err
		}
		out.Result = New
		return out, records.GroupIns.Put(tx, in)
	case err != nil:
		return Outcome{}, damagedNow(tx, in.ID(), err)
	case !ok:
		out.Result = New
	default:
		return k.addTo(tx, stored, in, out)
	}
	return out, records.GroupIns.Join(tx, in)
}

// damagedNow reads the record, so that the failure is validated.
func damagedNow(tx *txn.Tx, id group.SessionID, err error) error {
	if _, _, now := records.GroupIns.Get(tx, id); now != nil {
		return now
	}
	return err
}

func (k *Keys) addTo(tx *txn.Tx, stored, in group.Inbound, out Outcome) (Outcome, error) {
	if stored.Joins(in) {
		next := stored.Join(in)
		if !same(stored, next) {
			if gains(stored, next) {
				out.Result = Better
			}
			return out, records.GroupIns.Join(tx, in)
		}
	}
	// Nothing is written, or something is given up: that rests on what is stored.
	stored, ok, err := records.GroupIns.Get(tx, in.ID())
	if err != nil {
		return Outcome{}, err
	}
	if !ok {
		return Outcome{}, errors.New("pawl: the session is gone within one transaction")
	}
	if stored.Floor() == group.Whole {
		return Outcome{}, fmt.Errorf("%w: session %s", group.ErrForgotten, in.ID())
	}
	if stored.Room() != in.Room() {
		return k.moved(tx, stored, in, out)
	}
	next, givenUp, err := stored.Merge(in)
	if err != nil {
		return Outcome{}, err
	}
	switch {
	case len(givenUp) == 0:
		return out, nil
	case same(stored, next):
		return Outcome{}, fmt.Errorf("%w: session %s, %s copy", ErrContradicts, in.ID(), out.Provenance)
	}
	return k.replace(tx, next, out, givenUp)
}

// replace stores what comes in the place of copies that contradict it, and tells the
// log.
func (k *Keys) replace(tx *txn.Tx, next group.Inbound, out Outcome, givenUp []group.Refused) (Outcome, error) {
	out.Result, out.GivenUp = Replaced, givenUp
	tx.OnCommit(func() {
		k.account.Store.Log.Warn("stored copies of a room key were given up: a better one contradicts them",
			slog.String("session", next.ID().String()), slog.String("better", out.Provenance.String()), slog.Int("copies", len(givenUp)))
	})
	return out, records.GroupIns.Put(tx, next)
}

// moved takes a key of a session that is stored as one of another room. A session
// is of one room: what is stored stays, unless what comes is vouched for and of a
// better provenance. A floor stays whatever room it was set in.
func (k *Keys) moved(tx *txn.Tx, stored, in group.Inbound, out Outcome) (Outcome, error) {
	if p := out.Provenance; p < group.Forwarded || p <= stored.Copies()[0].Provenance {
		return Outcome{}, fmt.Errorf("%w: session %s is of room %s, not of %s", ErrOtherRoom, in.ID(), stored.Room(), in.Room())
	}
	var givenUp []group.Refused
	for _, c := range stored.Copies() {
		givenUp = append(givenUp, group.Refused{Copy: c, Stored: true})
	}
	return k.replace(tx, in.Forget(stored.Floor()), out, givenUp)
}

// same reports that two records are the same.
func same(a, b group.Inbound) bool {
	x, errX := a.Encode()
	y, errY := b.Encode()
	defer clear(x)
	defer clear(y)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// gains reports that something can be read by the next record that the stored one
// does not read, or that a better provenance vouches for it.
func gains(stored, next group.Inbound) bool {
	return slices.ContainsFunc(next.Copies(), func(n group.Copy) bool {
		return !slices.ContainsFunc(stored.Copies(), func(s group.Copy) bool {
			return s.Provenance >= n.Provenance && s.Key.Index() <= n.Key.Index()
		})
	})
}
