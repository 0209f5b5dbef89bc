package records

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Unheard are events of a user that no session and no key of ours reads, by devices
// that no answer to /keys/query has shown: whose they are is judged when one does.
type Unheard struct {
	User  matrix.UserID
	Asked time.Time     // when it was noted last that the user's devices are to be asked for
	From  []UnheardFrom // one for each key, the newest last; at most MaxUnheard
}

// UnheardFrom is the newest event of one device.
type UnheardFrom struct {
	Key ratchet.PublicKey // that the event says it is from
	At  record.Moment
	Why string // at most MaxWhy bytes
}

const (
	// MaxUnheard bounds what anybody can make us remember of one user.
	MaxUnheard = 8
	// UnheardPause is how long the devices of the same user are not asked for again
	// because of such events: a user's true new devices are told of by the server.
	UnheardPause = time.Hour
)

// Unheards: unheard/<user>.
var Unheards = txn.Record[matrix.UserID, Unheard]{
	Kind: "unheard", Codec: machine.Encoded[Unheard]{Read: decodeUnheard},
	Name: func(u Unheard) matrix.UserID { return u.User },
	Path: func(n matrix.UserID) txn.Path { return txn.PathOf(string(n)) },
}

func unheardKind() Kind { return Kind{Records: many(&Unheards), Sweep: sweepUnheard} }

var unheardShare = machine.Share{Bytes: 4 << 10, Writes: 1, Checks: 1}

// Add returns the record with an event more. Of more keys than are kept the oldest goes.
func (u Unheard) Add(key ratchet.PublicKey, at record.Moment, why string) Unheard {
	at.Time = record.Time(at.Time)
	u.From = slices.DeleteFunc(slices.Clone(u.From), func(o UnheardFrom) bool { return o.Key == key })
	u.From = append(u.From, UnheardFrom{key, at, strings.ToValidUTF8(why[:min(len(why), MaxWhy)], "")})
	u.From = u.From[max(0, len(u.From)-MaxUnheard):]
	return u
}

// sweepUnheard forgets users whose devices never came to be known, and times of a clock
// that was wrong.
func sweepUnheard(ctx context.Context, s *Sweep) error {
	old := func(_ *txn.Tx, u Unheard) (bool, error) {
		newest := u.From[len(u.From)-1].At.Time
		return s.Now.Sub(newest).Abs() >= WedgeLife, nil
	}
	_, err := machine.Delete(&Unheards, unheardShare, &s.Damaged, old).All(ctx, s.Account)
	return err
}

const (
	unheardVersion = 2
	unheardFields  = 3
)

// Encode returns the record.
func (u Unheard) Encode() ([]byte, error) {
	if err := u.check(); err != nil {
		return nil, err
	}
	return record.Encode(unheardVersion, unheardFields, 64+len(u.User)+320*len(u.From), func(w *record.Writer) {
		w.Text(string(u.User))
		w.Time(u.Asked)
		w.Count(4 * len(u.From))
		for _, f := range u.From {
			w.Bytes(f.Key[:])
			w.Time(f.At.Time)
			w.Order(f.At.Order)
			w.Text(f.Why)
		}
	}), nil
}

func (u Unheard) check() error {
	if err := u.User.Check(); err != nil {
		return err
	}
	if len(u.From) == 0 || len(u.From) > MaxUnheard {
		return fmt.Errorf("%w: events of %d devices", record.ErrFormat, len(u.From))
	}
	for i, f := range u.From {
		if slices.ContainsFunc(u.From[:i], func(o UnheardFrom) bool { return o.Key == f.Key }) {
			return fmt.Errorf("%w: a device is there twice", record.ErrFormat)
		}
	}
	return nil
}

func decodeUnheard(b []byte) (u Unheard, err error) {
	err = record.Decode("unheard", b, unheardVersion, unheardFields, func(r *record.Reader) {
		u.User = matrix.UserID(r.Text(matrix.MaxLength))
		u.Asked = r.Time()
		n := r.Count(4 * MaxUnheard)
		r.Check(n%4 == 0, "events")
		for ; n > 0 && r.OK(); n -= 4 {
			var f UnheardFrom
			r.Fixed(f.Key[:])
			f.At = record.Moment{Time: r.Time(), Order: r.Order()}
			f.Why = r.Text(MaxWhy)
			u.From = append(u.From, f)
		}
		if r.OK() {
			r.FailWith(u.check())
		}
	})
	if err != nil {
		return Unheard{}, err
	}
	return u, nil
}
