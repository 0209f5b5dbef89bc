package records

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
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

func (k Kept[T]) listKind() Kind {
	return Kind{Records: one(k.List), Sweep: k.sweep, Broken: func(_ *Checkup, u unread) *Fix {
		return k.listAgain(u.version)
	}}
}

const (
	keptVersion   = 2
	refusedFields = 9
	unreadFields  = 7
)
