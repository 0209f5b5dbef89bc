package records

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// WithheldName names a notice: the session, and who sent the notice. Anybody may
// say anything about a session, and takes nobody else's place with it.
type WithheldName struct {
	Session group.SessionID
	From    matrix.UserID
}

// Withhelds: a notice that somebody does not give us a key,
// withheld/<session id>/<user id>.
var Withhelds = txn.Record[WithheldName, group.Withheld]{
	Kind: "withheld", Codec: machine.Encoded[group.Withheld]{Read: group.DecodeWithheld},
	Name: func(w group.Withheld) WithheldName { return WithheldName{w.Session, w.From} },
	Path: func(n WithheldName) txn.Path { return txn.PathOf(n.Session.String(), string(n.From)) },
}

// Bounds of notices. Nobody signs them, so whoever knows our name can send any
// number.
const (
	MaxWithheld    = 128 // of one user: the oldest goes for a new one
	MaxAllWithheld = 10_000
	WithheldLife   = 28 * 24 * time.Hour
)

// Withholder is whose notices are kept, and of which sessions.
type Withholder struct {
	User     matrix.UserID
	Sessions []group.SessionID // the oldest first
	Last     time.Time
}

// Withholders: withholder/<user id>.
var Withholders = txn.Record[matrix.UserID, Withholder]{
	Kind: "withholder", Codec: machine.Encoded[Withholder]{Read: decodeWithholder},
	Name: func(w Withholder) matrix.UserID { return w.User },
	Path: func(user matrix.UserID) txn.Path { return txn.PathOf(string(user)) },
}

// PutWithheld keeps a notice. Of its user no more than MaxWithheld are kept then.
func PutWithheld(tx *txn.Tx, w group.Withheld) error {
	by, _, err := Withholders.Get(tx, w.From)
	if err != nil && !machine.IsDamage(err) && !machine.IsSetAside(err) {
		return err
	}
	by.User, by.Last = w.From, w.At // what cannot be read is begun anew
	by.Sessions = slices.DeleteFunc(slices.Clone(by.Sessions), func(id group.SessionID) bool { return id == w.Session })
	for len(by.Sessions) >= MaxWithheld {
		if err := Withhelds.Delete(tx, WithheldName{by.Sessions[0], w.From}); err != nil {
			return err
		}
		by.Sessions = by.Sessions[1:]
	}
	by.Sessions = append(by.Sessions, w.Session)
	if err := Withholders.Put(tx, by); err != nil {
		return err
	}
	return Withhelds.Put(tx, w)
}

const (
	withholderVersion = 2
	withholderFields  = 3
)

// Encode returns the record.
func (w Withholder) Encode() ([]byte, error) {
	if err := w.User.Check(); err != nil || len(w.Sessions) == 0 || len(w.Sessions) > MaxWithheld {
		return nil, fmt.Errorf("%w: withholder of %d sessions", record.ErrFormat, len(w.Sessions))
	}
	size := 64 + len(w.User) + 34*len(w.Sessions)
	return record.Encode(withholderVersion, withholderFields, size, func(out *record.Writer) {
		out.Text(string(w.User))
		writeSessions(out, w.Sessions)
		out.Time(w.Last)
	}), nil
}

func decodeWithholder(b []byte) (w Withholder, err error) {
	err = record.Decode("withholder", b, withholderVersion, withholderFields, func(r *record.Reader) {
		w.User = matrix.UserID(r.Text(matrix.MaxLength))
		w.Sessions = readSessions(r, MaxWithheld)
		w.Last = r.Time()
		if r.OK() {
			r.FailWith(w.User.Check())
		}
	})
	if err != nil {
		return Withholder{}, err
	}
	return w, nil
}

func writeSessions(w *record.Writer, ids []group.SessionID) {
	w.Count(len(ids))
	for i := range ids {
		w.Bytes(ids[i][:])
	}
}

// readSessions reads one session at least, each once.
func readSessions(r *record.Reader, limit int) []group.SessionID {
	n := r.Count(limit)
	r.Check(n > 0, "number of sessions")
	var all []group.SessionID
	seen := map[group.SessionID]bool{}
	for range n {
		var id group.SessionID
		if r.Fixed(id[:]); !r.OK() {
			return nil
		}
		r.Check(!seen[id], "session named twice")
		seen[id] = true
		all = append(all, id)
	}
	return all
}

func withholderKind() Kind { return Kind{Records: many(&Withholders), Sweep: sweepWithholders} }

func withheldKind() Kind { return Kind{Records: many(&Withhelds), Sweep: sweepWithheld} }

var (
	withholderShare = machine.Share{Bytes: 6 << 10, Writes: 1, Checks: 1}
	withheldShare   = machine.Share{Bytes: 2 << 10, Writes: 1, Checks: 1}
)

// sweepWithholders deletes the lists of those who sent nothing for so long that all
// they sent has gone.
func sweepWithholders(ctx context.Context, s *Sweep) error {
	old := func(_ *txn.Tx, w Withholder) (bool, error) { return s.Now.Sub(w.Last) >= WithheldLife, nil }
	_, err := machine.Delete(&Withholders, withholderShare, &s.Damaged, old).All(ctx, s.Account)
	return err
}

// sweepWithheld deletes what has had its time, and of the rest the oldest that are
// more than MaxAllWithheld.
func sweepWithheld(ctx context.Context, s *Sweep) error {
	until, err := txn.View(ctx, s.Account.DB, func(tx *txn.Tx) (time.Time, error) {
		var times []time.Time
		err := each(tx, &Withhelds, func(w group.Withheld) { times = append(times, w.At) })
		if len(times) <= MaxAllWithheld {
			return time.Time{}, err
		}
		slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
		return times[MaxAllWithheld], err
	})
	if err != nil {
		return err
	}
	old := func(_ *txn.Tx, w group.Withheld) (bool, error) {
		return s.Now.Sub(w.At) >= WithheldLife || !w.At.After(until), nil
	}
	_, err = machine.Delete(&Withhelds, withheldShare, &s.Damaged, old).All(ctx, s.Account)
	return err
}
