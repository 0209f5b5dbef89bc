package records

import (
	"crypto/sha256"
	"slices"
	"time"

	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/session"
)

// Bounds of what is kept of to-device events: whoever sends them, and how many.
const (
	// MaxKept is how many of a kind are kept.
	MaxKept = 1000
	// MaxOfSender is how many of one sender are, so that none crowds out the others.
	MaxOfSender = 32
	// MaxKeptBytes is how large they may be together.
	MaxKeptBytes = 64 << 20
	// KeptLife is how long they are kept.
	KeptLife = session.ReceiptLife
)

// Tag stands for a sender or an event in a [Shelf].
type Tag [16]byte

// TagOf returns the tag of something that these parts make up.
func TagOf(parts ...[]byte) (t Tag) {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256(p)
		h.Write(sum[:])
	}
	copy(t[:], h.Sum(nil))
	return t
}

// Shelf says which events of a kind are kept. It is a value: methods return
// another.
type Shelf struct {
	Next  uint64 // number
	Items []Item // the oldest first
	// More is how many came for which there was no place.
	More uint64
	// Due: they are to be tried again.
	Due bool
}

// Item is an event that is kept.
type Item struct {
	N      uint64
	Sender Tag
	Event  Tag
	At     frame.Moment
	Size   int
}

// Has reports whether an event is kept.
func (s Shelf) Has(event Tag) bool {
	return slices.ContainsFunc(s.Items, func(i Item) bool { return i.Event == event })
}

// add gives an event its place and its number. Where there is none for its sender
// it is counted; where there is none at all it takes the place of the oldest, if
// that may be, which is returned.
func (s Shelf) add(i Item, displaces bool) (next Shelf, n uint64, gone []uint64, ok bool) {
	size, own := i.Size, 0
	for _, other := range s.Items {
		size += other.Size
		if other.Sender == i.Sender {
			own++
		}
	}
	full := func() bool { return len(s.Items) >= MaxKept || size > MaxKeptBytes }
	if own >= MaxOfSender || full() && !displaces {
		s.More++
		return s, 0, nil, false
	}
	for full() && len(s.Items) > 0 {
		gone = append(gone, s.Items[0].N)
		size -= s.Items[0].Size
		s.Items = s.Items[1:]
	}
	i.N = s.Next
	s.Next++
	s.Items = append(slices.Clip(s.Items), i)
	return s, i.N, gone, true
}

// without returns the shelf without those of these numbers.
func (s Shelf) without(gone ...uint64) Shelf {
	s.Items = slices.DeleteFunc(slices.Clone(s.Items), func(i Item) bool { return slices.Contains(gone, i.N) })
	return s
}

// expired returns the numbers of those whose time is over. One of a time that
// cannot be counts from now on.
func (s Shelf) expired(first, now time.Time) (next Shelf, gone []uint64, changed bool) {
	s.Items = slices.Clone(s.Items)
	for at, i := range s.Items {
		switch t := i.At.Time; {
		case t.After(now) || t.Before(first):
			s.Items[at].At.Time, changed = frame.Time(now), true
		case now.Sub(t) >= KeptLife:
			gone = append(gone, i.N)
		}
	}
	return s, gone, changed || len(gone) > 0
}

const (
	shelfVersion = 2
	shelfFields  = 4
	itemFields   = 6
)

// Encode returns the record.
func (s Shelf) Encode() ([]byte, error) {
	return frame.Encode(shelfVersion, shelfFields, 32+64*len(s.Items), func(w *frame.Writer) {
		w.Uint(s.Next)
		w.Uint(s.More)
		w.Bool(s.Due)
		w.Count(itemFields * len(s.Items))
		for _, i := range s.Items {
			w.Uint(i.N)
			w.Bytes(i.Sender[:])
			w.Bytes(i.Event[:])
			w.Time(i.At.Time)
			w.Order(i.At.Order)
			w.Uint(uint64(i.Size))
		}
	}), nil
}

func decodeShelf(b []byte) (s Shelf, err error) {
	err = frame.Decode("list of events", b, shelfVersion, shelfFields, func(r *frame.Reader) {
		s.Next, s.More, s.Due = r.Uint(1<<63), r.Uint(1<<63), r.Bool()
		fields := r.Count(itemFields * MaxKept)
		r.Check(fields%itemFields == 0, "items")
		for n := 0; n < fields && r.OK(); n += itemFields {
			i := Item{N: r.Uint(1 << 63)}
			r.Fixed(i.Sender[:])
			r.Fixed(i.Event[:])
			i.At = frame.Moment{Time: r.Time(), Order: r.Order()}
			i.Size = int(r.Uint(MaxKeptBytes))
			r.Check(i.N < s.Next && (n == 0 || s.Items[n/itemFields-1].N < i.N) && !i.At.Time.IsZero(), "number or time")
			s.Items = append(s.Items, i)
		}
	})
	if err != nil {
		return Shelf{}, err
	}
	return s, nil
}
