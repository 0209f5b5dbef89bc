package records

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

var shelfTime = time.UnixMilli(1_700_000_000_000).UTC()

func itemOf(sender byte, event, size int) Item {
	return Item{Sender: Tag{sender}, Event: TagOf([]byte{byte(event), byte(event >> 8)}), At: frame.Moment{Time: shelfTime, Order: 5}, Size: size}
}

// TestShelfBounds: whoever sends, and however much, what is kept is bounded, and
// nobody crowds out another one.
func TestShelfBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		displaces := rapid.Bool().Draw(t, "displaces")
		var s Shelf
		kept := map[uint64]Item{}
		came := 0
		for range rapid.IntRange(0, 60).Draw(t, "senders") {
			sender := rapid.Byte().Draw(t, "sender")
			for range rapid.IntRange(1, 60).Draw(t, "events") {
				i := itemOf(sender, came, rapid.SampledFrom([]int{0, 100, 1 << 20}).Draw(t, "size"))
				came++
				next, n, gone, ok := s.add(i, displaces)
				for _, g := range gone {
					delete(kept, g)
				}
				if i.N = n; ok {
					kept[n] = i
				}
				s = next
			}
		}
		size, of := 0, map[Tag]int{}
		for _, i := range s.Items {
			size += i.Size
			of[i.Sender]++
			if kept[i.N] != i || !s.Has(i.Event) || of[i.Sender] > MaxOfSender {
				t.Fatalf("item %+v, %d of its sender", i, of[i.Sender])
			}
		}
		if len(s.Items) != len(kept) || len(s.Items) > MaxKept || size > MaxKeptBytes || int(s.Next)+int(s.More) != came {
			t.Fatalf("%d items, %d kept, %d bytes, %d and %d of %d", len(s.Items), len(kept), size, s.Next, s.More, came)
		}
		raw, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decodeShelf(raw); err != nil || cmp.Diff(s.Items, back.Items) != "" && len(s.Items) > 0 {
			t.Fatalf("%v, %s", err, cmp.Diff(s, back))
		}
		if len(raw) > KeptShare.Bytes {
			t.Fatalf("%d bytes", len(raw))
		}
	})
}

// TestShelfExpires: each is kept for its time, by whatever clock it was put there.
func TestShelfExpires(t *testing.T) {
	now := shelfTime.Add(KeptLife)
	s := Shelf{Next: 4, Items: []Item{
		{N: 0, At: frame.Moment{Time: shelfTime}},                       // its time is over
		{N: 1, At: frame.Moment{Time: shelfTime.Add(time.Millisecond)}}, // almost
		{N: 2, At: frame.Moment{Time: shelfTime.AddDate(-1, 0, 0)}},     // before there was an account
		{N: 3, At: frame.Moment{Time: now.AddDate(1, 0, 0)}},            // in the future
	}}
	first := shelfTime.Add(-time.Hour)
	next, gone, changed := s.expired(first, now)
	if !changed || !slices.Equal(gone, []uint64{0}) || !next.Items[2].At.Time.Equal(now) || !next.Items[3].At.Time.Equal(now) {
		t.Errorf("%v, %+v", gone, next)
	}
	if next = next.without(gone...); len(next.Items) != 3 || len(s.Items) != 4 {
		t.Errorf("%+v", next)
	}
	if _, gone, changed := next.expired(first, now); changed || gone != nil {
		t.Errorf("again: %v", gone)
	}
}

func syncSamples() map[string]struct {
	raw   func() ([]byte, error)
	again func([]byte) (any, []byte, error)
	want  any
} {
	type sample = struct {
		raw   func() ([]byte, error)
		again func([]byte) (any, []byte, error)
		want  any
	}
	s := SyncState{Since: "s1", Pos: "p2", ToDevice: "d3", Taking: [8]byte{4}, Transactions: []Transaction{{Digest: [32]byte{5}, Returned: true}, {}}}
	who := Sender{Key: ratchet.PublicKey{1}, User: "@bob:example.org"}
	at := frame.Moment{Time: shelfTime, Order: 7}
	refused := Refused{N: 3, At: at, Sender: "@bob:example.org", SenderKey: ratchet.PublicKey{1}, Type: "m.room.encrypted", Code: "mac", Why: "why", Event: Tag{9}}
	unread := Unread{N: 3, At: at, Sender: "@bob:example.org", Event: Tag{9}, Raw: []byte(`{"type":"x"}`), Why: "why"}
	shelf := Shelf{Next: 9, More: 2, Due: true, Items: []Item{itemOf(1, 1, 10), {N: 8, At: at, Size: 3}}}
	return map[string]sample{
		"sync":    {s.Encode, func(b []byte) (any, []byte, error) { return again(decodeSyncState(b)) }, s},
		"sender":  {who.Encode, func(b []byte) (any, []byte, error) { return again(decodeSender(b)) }, who},
		"refused": {refused.Encode, func(b []byte) (any, []byte, error) { return again(decodeRefused(b)) }, refused},
		"unread":  {unread.Encode, func(b []byte) (any, []byte, error) { return again(decodeUnread(b)) }, unread},
		"list":    {shelf.Encode, func(b []byte) (any, []byte, error) { return again(decodeShelf(b)) }, shelf},
	}
}

func again[T interface{ Encode() ([]byte, error) }](v T, err error) (any, []byte, error) {
	if err != nil {
		return v, nil, err
	}
	raw, err := v.Encode()
	return v, raw, err
}

// TestSyncRecords: what is written is read, and nothing else is.
func TestSyncRecords(t *testing.T) {
	for name, c := range syncSamples() {
		raw, err := c.raw()
		if err != nil {
			t.Fatal(err)
		}
		got, rewritten, err := c.again(raw)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" || !bytes.Equal(raw, rewritten) {
			t.Errorf("%s: %v %s", name, err, diff)
		}
		for n := range raw {
			if _, _, err := c.again(raw[:n]); err == nil {
				t.Errorf("%s: the first %d bytes are one", name, n)
			}
		}
		if _, _, err := c.again(append(bytes.Clone(raw), 0)); !errors.Is(err, frame.ErrFormat) {
			t.Errorf("%s: a byte more: %v", name, err)
		}
		newer := bytes.Clone(raw)
		newer[0]++
		if _, _, err := c.again(newer); !errors.Is(err, frame.ErrVersion) {
			t.Errorf("%s: of a newer version: %v", name, err)
		}
	}
	if _, err := (Sender{}).Encode(); err == nil {
		t.Error("a sender of nobody")
	}
}

func FuzzSyncRecords(f *testing.F) {
	for _, c := range syncSamples() {
		raw, err := c.raw()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for name, c := range syncSamples() {
			v, rewritten, err := c.again(raw)
			if err != nil {
				continue
			}
			if same, _, err := c.again(rewritten); err != nil || cmp.Diff(v, same) != "" {
				t.Errorf("%s %x is written as %x", name, raw, rewritten)
			}
		}
	})
}

// TestTransactions: the last hundred are known.
func TestTransactions(t *testing.T) {
	var s SyncState
	for n := range 2 * MaxTransactions {
		s = s.Add(Transaction{Digest: [32]byte{byte(n)}})
		s = s.Add(Transaction{Digest: [32]byte{byte(n)}, Returned: n%2 == 0})
	}
	if len(s.Transactions) != MaxTransactions {
		t.Fatalf("%d are known", len(s.Transactions))
	}
	for n := range 2 * MaxTransactions {
		known, had := s.Had([32]byte{byte(n)})
		if had != (n >= MaxTransactions) || had && known.Returned != (n%2 == 0) {
			t.Errorf("transaction %d: %+v, %t", n, known, had)
		}
	}
}
