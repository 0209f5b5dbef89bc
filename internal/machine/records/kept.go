package records

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Refused is a to-device event that was not taken, and why.
type Refused struct {
	N         uint64
	At        frame.Moment
	Sender    matrix.UserID // as the event says; "" if it says nothing that can be
	SenderKey ratchet.PublicKey
	Type      string
	Code      string // of the error
	Why       string
	Event     Tag
}

// Unread is a to-device event that our own damage kept from being read, as it came.
type Unread struct {
	N      uint64
	At     frame.Moment
	Sender matrix.UserID
	Event  Tag
	Raw    []byte
	Why    string
}

// maxUnread bounds an event that is kept: larger ones are refused anyway.
const maxUnread = 1 << 20

// maxText bounds texts about an event, in bytes.
const maxText = 512

// RefusedEvents and UnreadEvents: refused/<number> and unread/<number>, and the
// records that list them.
var (
	RefusedEvents = Kept[Refused]{
		Records: &txn.Record[uint64, Refused]{
			Kind: "refused", Codec: machine.Encoded[Refused]{Read: decodeRefused}, Name: func(r Refused) uint64 { return r.N }, Path: numbered,
		},
		List:      &txn.Single[Shelf]{Kind: "refused-list", Codec: machine.Encoded[Shelf]{Read: decodeShelf}},
		item:      Refused.item,
		displaces: true,
	}
	UnreadEvents = Kept[Unread]{
		Records: &txn.Record[uint64, Unread]{
			Kind: "unread", Codec: machine.Encoded[Unread]{Read: decodeUnread}, Name: func(u Unread) uint64 { return u.N }, Path: numbered,
		},
		List: &txn.Single[Shelf]{Kind: "unread-list", Codec: machine.Encoded[Shelf]{Read: decodeShelf}},
		item: Unread.item,
	}
)

func numbered(n uint64) txn.Path { return txn.PathOf(strconv.FormatUint(n, 10)) }

func (r Refused) item() Item {
	return Item{r.N, TagOf([]byte(r.Sender)), r.Event, r.At, 0}
}

func (u Unread) item() Item {
	return Item{u.N, TagOf([]byte(u.Sender)), u.Event, u.At, len(u.Raw)}
}

// Kept are events of a kind, and the record that lists them.
type Kept[T any] struct {
	Records   *txn.Record[uint64, T]
	List      *txn.Single[Shelf]
	item      func(T) Item
	displaces bool // the oldest goes for a new one
}

// KeptShare is what keeping an event, or removing one, takes of a commit beside the
// event itself.
var KeptShare = machine.Share{Bytes: 128 * MaxKept, Writes: 3, Checks: 2}

// Shelf returns the list. What was set aside lists nothing.
func (k Kept[T]) Shelf(tx *txn.Tx) (Shelf, error) {
	s, _, err := k.List.Get(tx)
	if machine.IsSetAside(err) {
		return Shelf{}, nil
	}
	return s, err
}

// Keep keeps an event, unless it is kept already, and returns whether there is a place
// for it. It fails if the list is damaged.
func (k Kept[T]) Keep(tx *txn.Tx, v T, number func(v T, n uint64) T) (kept bool, err error) {
	s, err := k.Shelf(tx)
	if err != nil || s.Has(k.item(v).Event) {
		return err == nil, err
	}
	s, n, gone, ok := s.add(k.item(v), k.displaces)
	for _, old := range gone {
		if err := k.Records.Delete(tx, old); err != nil {
			return false, err
		}
	}
	if ok {
		if err := k.Records.Put(tx, number(v, n)); err != nil {
			return false, err
		}
	}
	return ok, k.List.Put(tx, s)
}

// Remove removes an event that is kept.
func (k Kept[T]) Remove(tx *txn.Tx, n uint64) error {
	s, err := k.Shelf(tx)
	if err != nil {
		return err
	}
	if err := k.Records.Delete(tx, n); err != nil {
		return err
	}
	return k.List.Put(tx, s.without(n))
}

// KeepRefused keeps what is said of an event that was not taken.
func KeepRefused(tx *txn.Tx, r Refused) error {
	r.At = stamped(r.At)
	r.Type, r.Code, r.Why = short(r.Type), short(r.Code), short(r.Why)
	_, err := RefusedEvents.Keep(tx, r, func(r Refused, n uint64) Refused { r.N = n; return r })
	return err
}

// KeepUnread keeps an event for when the damage is repaired, if there is a place for
// it.
func KeepUnread(tx *txn.Tx, u Unread) (kept bool, err error) {
	u.At, u.Why = stamped(u.At), short(u.Why)
	return UnreadEvents.Keep(tx, u, func(u Unread, n uint64) Unread { u.N = n; return u })
}

// short cuts a text to what is kept of it.
func short(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxText)], "") }

// stamped is a moment whose time says that it was.
func stamped(at frame.Moment) frame.Moment {
	at.Time = time.UnixMilli(max(frame.Millis(at.Time), 1)).UTC()
	return at
}

// UnreadDue notes that events which damage kept from being read are to be tried
// again. Of what has none, or was moved away, it changes nothing.
func UnreadDue(ctx context.Context, a *machine.Account) error {
	if a.Name == (machine.AccountName{}) {
		return nil // the records that all accounts share
	}
	return a.Do(ctx, func(tx *txn.Tx) error {
		s, err := UnreadEvents.Shelf(tx)
		if machine.IsDamage(err) || err == nil && (len(s.Items) == 0 || s.Due) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := a.Active(tx); errors.Is(err, account.ErrRetired) || machine.IsDamage(err) {
			return nil
		} else if err != nil {
			return err
		}
		s.Due = true
		return UnreadEvents.List.Put(tx, s)
	})
}

func refusedKind() Kind { return RefusedEvents.kind() }

func refusedListKind() Kind { return RefusedEvents.listKind() }

func unreadKind() Kind { return UnreadEvents.kind() }

func unreadListKind() Kind { return UnreadEvents.listKind() }

func (k Kept[T]) kind() Kind { return Kind{Records: many(k.Records), Check: k.check, Broken: k.unlist} }

// unlist sets aside an event that cannot be read, and takes it off the list, if that
// can be read.
func (k Kept[T]) unlist(_ *Checkup, u unread) *Fix {
	return inOne("set it aside, and take it off the list", func(tx *txn.Tx, a *machine.Account) error {
		done, err := machine.SetAside(tx, a, u.key, u.version, machine.Aside{Why: u.says})
		if err != nil || !done {
			return err
		}
		s, err := k.Shelf(tx)
		if machine.IsDamage(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, i := range s.Items {
			key, err := k.Records.Key(tx, i.N)
			if err != nil {
				return err
			}
			if key == u.key {
				return k.List.Put(tx, s.without(i.N))
			}
		}
		return nil
	})
}

func (k Kept[T]) listKind() Kind {
	return Kind{Records: one(k.List), Sweep: k.sweep, Broken: func(_ *Checkup, u unread) *Fix {
		return k.listAgain(u.version)
	}}
}

// check: the list has exactly those that there are.
func (k Kept[T]) check(c *Checkup) {
	s, err := k.Shelf(c.Tx)
	if err != nil {
		return // the check complains of it
	}
	version, err := k.List.Version(c.Tx)
	if err != nil {
		return
	}
	listed := map[uint64]bool{}
	for _, i := range s.Items {
		listed[i.N] = true
		if there := at(c, k.Records, i.N); there != whole && there != broken {
			c.Find(k.List.Kind, k.listAgain(version), "%s names event %d, which is missing", k.List.Kind, i.N)
		}
	}
	for v := range readable(c, k.Records) {
		if n := k.item(v).N; !listed[n] {
			c.Find(k.List.Kind, k.listAgain(version), "%s does not name event %d", k.List.Kind, n)
		}
	}
}

// listAgain makes the list of what there is, unless the one that was looked at has
// changed.
func (k Kept[T]) listAgain(version kv.Version) *Fix {
	return &Fix{"make the list again", func(ctx context.Context, a *machine.Account) error {
		made, err := txn.View(ctx, a.DB, k.find)
		if err != nil {
			return err
		}
		return a.Do(ctx, func(tx *txn.Tx) error {
			key, err := k.List.Key(tx)
			if err != nil {
				return err
			}
			e, err := tx.Entry(key)
			if err != nil || e.Version != version {
				return err
			}
			if _, err := a.Active(tx); err != nil {
				return err
			}
			return k.List.Put(tx, made)
		})
	}}
}

// find makes a list of all that can be read.
func (k Kept[T]) find(tx *txn.Tx) (s Shelf, err error) {
	for v, err := range k.Records.Scan(tx) {
		switch {
		case machine.IsDamage(err):
		case err != nil:
			return s, err
		default:
			s.Items = append(s.Items, k.item(v))
		}
	}
	slices.SortFunc(s.Items, func(a, b Item) int { return cmp.Compare(a.N, b.N) })
	if len(s.Items) > MaxKept {
		return s, fmt.Errorf("pawl: %d events of kind %s are kept", len(s.Items), k.Records.Kind)
	}
	if n := len(s.Items); n > 0 {
		s.Next = s.Items[n-1].N + 1
	}
	s.Due = true // whatever the list said
	return s, nil
}

// times tells when the events came. Of what cannot be read nothing is known.
func (k Kept[T]) times(tx *txn.Tx, add func(frame.Order, time.Time)) error {
	s, err := k.Shelf(tx)
	if machine.IsDamage(err) {
		return nil
	}
	for _, i := range s.Items {
		add(i.At.Order, i.At.Time)
	}
	return err
}

// right puts right when they came.
func (k Kept[T]) right(tx *txn.Tx, t truth) error {
	s, err := k.Shelf(tx)
	if err != nil {
		if machine.IsDamage(err) {
			err = nil
		}
		return err
	}
	changed := false
	s.Items = slices.Clone(s.Items)
	for n, i := range s.Items {
		if t.wrong(i.At.Order, i.At.Time) {
			s.Items[n].At.Time, changed = t.of(event{i.At.Order, i.At.Time}), true
		}
	}
	if !changed {
		return nil
	}
	return k.List.Put(tx, s)
}

// sweep deletes those whose time is over, in commits of some.
func (k Kept[T]) sweep(ctx context.Context, s *Sweep) error {
	most := max(s.Account.Store.PerCommit(machine.Share{Bytes: 64, Writes: 1, Checks: 1}), 1)
	for more := true; more; {
		var err error
		more, err = txn.Do(ctx, s.Account.DB, func(tx *txn.Tx) (bool, error) { return k.sweepSome(tx, s, most) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (k Kept[T]) sweepSome(tx *txn.Tx, s *Sweep, most int) (more bool, err error) {
	v, err := s.Account.Active(tx)
	if err != nil {
		return false, err
	}
	list, err := k.Shelf(tx)
	if err != nil {
		if s.Damaged.Note(err) {
			err = nil
		}
		return false, err
	}
	first := v.Created()
	if first.After(s.Now) {
		first = time.Time{}
	}
	list, gone, changed := list.expired(first, s.Now)
	if !changed {
		return false, nil
	}
	gone, more = gone[:min(len(gone), most)], len(gone) > most
	for _, n := range gone {
		if err := k.Records.Delete(tx, n); err != nil {
			return false, err
		}
	}
	return more, k.List.Put(tx, list.without(gone...))
}

const (
	keptVersion   = 2
	refusedFields = 9
	unreadFields  = 7
)

// Encode returns the record.
func (r Refused) Encode() ([]byte, error) {
	return frame.Encode(keptVersion, refusedFields, 128+len(r.Sender)+len(r.Type)+len(r.Why), func(w *frame.Writer) {
		w.Uint(r.N)
		w.Time(r.At.Time)
		w.Order(r.At.Order)
		w.Text(string(r.Sender))
		w.Bytes(r.SenderKey[:])
		w.Text(r.Type)
		w.Text(r.Code)
		w.Text(r.Why)
		w.Bytes(r.Event[:])
	}), nil
}

func decodeRefused(b []byte) (v Refused, err error) {
	err = frame.Decode("refused event", b, keptVersion, refusedFields, func(r *frame.Reader) {
		v.N = r.Uint(1 << 63)
		v.At = frame.Moment{Time: r.Time(), Order: r.Order()}
		v.Sender = matrix.UserID(r.Text(matrix.MaxLength))
		r.Fixed(v.SenderKey[:])
		v.Type, v.Code, v.Why = r.Text(maxText), r.Text(maxText), r.Text(maxText)
		r.Fixed(v.Event[:])
		r.Check(!r.OK() || !v.At.Time.IsZero() && (v.Sender == "" || v.Sender.Check() == nil), "time or sender")
	})
	if err != nil {
		return Refused{}, err
	}
	return v, nil
}

// Encode returns the record.
func (u Unread) Encode() ([]byte, error) {
	return frame.Encode(keptVersion, unreadFields, 128+len(u.Sender)+len(u.Why)+len(u.Raw), func(w *frame.Writer) {
		w.Uint(u.N)
		w.Time(u.At.Time)
		w.Order(u.At.Order)
		w.Text(string(u.Sender))
		w.Bytes(u.Event[:])
		w.Bytes(u.Raw)
		w.Text(u.Why)
	}), nil
}

func decodeUnread(b []byte) (v Unread, err error) {
	err = frame.Decode("unread event", b, keptVersion, unreadFields, func(r *frame.Reader) {
		v.N = r.Uint(1 << 63)
		v.At = frame.Moment{Time: r.Time(), Order: r.Order()}
		v.Sender = matrix.UserID(r.Text(matrix.MaxLength))
		r.Fixed(v.Event[:])
		v.Raw = r.Bytes(maxUnread)
		v.Why = r.Text(maxText)
		r.Check(!r.OK() || !v.At.Time.IsZero() && (v.Sender == "" || v.Sender.Check() == nil), "time or sender")
	})
	if err != nil {
		return Unread{}, err
	}
	return v, nil
}
