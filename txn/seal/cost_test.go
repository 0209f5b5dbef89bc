package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"testing"
)

// TestCostBounds: what is below the equals of 7 MiB with 5 passes is not written,
// nor what is not read again.
func TestCostBounds(t *testing.T) {
	for _, c := range []struct {
		cost Cost
		ok   bool
	}{
		{DefaultCost, true},
		{Cost{5, 7 << 10}, true}, {Cost{16, 7 << 10}, true}, {Cost{4, 9 << 10}, true}, {Cost{3, 12 << 10}, true},
		{Cost{1, 46 << 10}, true}, {Cost{16, 256 << 10}, true},
		{Cost{}, false}, {Cost{5, 7<<10 - 1}, false}, {Cost{16, 7<<10 - 1}, false}, {Cost{4, 7 << 10}, false}, {Cost{4, 9<<10 - 1}, false},
		{Cost{3, 12<<10 - 1}, false}, {Cost{2, 19<<10 - 1}, false}, {Cost{1, 46<<10 - 1}, false}, {Cost{0, 256 << 10}, false},
		{Cost{17, 7 << 10}, false}, {Cost{1, 256<<10 + 1}, false}, {Cost{1<<32 - 1, 1<<32 - 1}, false},
	} {
		if err := c.cost.Check(); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrCost) {
			t.Errorf("%+v: %v", c.cost, err)
		}
		_, _, err := Create(rand.Reader, RawKey([32]byte{1}).WithCost(c.cost))
		if err != nil {
			t.Errorf("a key with the cost %+v: %v", c.cost, err)
		}
		if c.ok || c.cost == (Cost{}) { // that one means the default
			continue
		}
		if _, _, err := Create(rand.Reader, Passphrase([]byte("p")).WithCost(c.cost)); !errors.Is(err, ErrCost) {
			t.Errorf("written with %+v: %v", c.cost, err)
		}
	}
}

// TestCostIsRecorded: it opens without being told, and stays when the passphrase
// is changed, unless another is chosen. A key forgets it.
func TestCostIsRecorded(t *testing.T) {
	one, two, key := Passphrase([]byte("one")), Passphrase([]byte("two")), RawKey([32]byte{1})
	small := Cost{5, 7 << 10}
	_, b, err := Create(rand.Reader, one.WithCost(small))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		now, next Unlock
		want      Cost
	}{
		{"changed", one, two, small},
		{"another cost", two, one.WithCost(Cost{3, 13 << 10}), Cost{3, 13 << 10}},
		{"changed again", one, two, Cost{3, 13 << 10}},
		{"key", two, key, Cost{}},
		{"from a key", key, one, DefaultCost},
	} {
		ring, err := Open(b, c.now)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if b, err = ring.Rewrap(rand.Reader, c.next); err != nil {
			t.Fatal(c.name, err)
		}
		r, err := decodeRecord(b)
		if err != nil || costOf(r.params()) != c.want {
			t.Errorf("%s: %+v, %v, want %+v", c.name, r.params(), err, c.want)
		}
	}
	if err := Check(b); err != nil {
		t.Error(err)
	}
}

// TestWeakCostIsNotKept: a record that costs less than is written opens, and what
// takes its place costs enough.
func TestWeakCostIsNotKept(t *testing.T) {
	u := Passphrase([]byte("p"))
	ring, _, err := Create(rand.Reader, u)
	if err != nil {
		t.Fatal(err)
	}
	weak := sample(t, u)
	weak.Time, weak.Memory = 1, 8
	nonce := make([]byte, 24, wrappedSize)
	if err := weak.wrap(nonce, ring.keys.Peek().data, u); err != nil {
		t.Fatal(err)
	}
	b, err := weak.encode()
	if err != nil {
		t.Fatal(err)
	}
	if ring, err = Open(b, u); err != nil {
		t.Fatal(err)
	}
	if b, err = ring.Rewrap(rand.Reader, u); err != nil {
		t.Fatal(err)
	}
	if r, err := decodeRecord(b); err != nil || costOf(r.params()) != DefaultCost {
		t.Errorf("%+v, %v", r.params(), err)
	}
}

// TestHostileCostAllocatesNothing: it is refused before anything is allocated for
// it, whichever field asks for too much.
func TestHostileCostAllocatesNothing(t *testing.T) {
	u := Passphrase([]byte("p"))
	for _, n := range []struct {
		time, memory uint32
		threads      uint8
	}{
		{0, argonMemory, 1}, {1<<32 - 1, argonMemory, 1}, {17, argonMemory, 1},
		{2, 0, 1}, {2, 7, 1}, {2, 15, 2}, {2, 257 << 10, 1}, {2, 1 << 20, 1}, {2, 4 << 20, 1}, {2, 1<<32 - 1, 1},
		{2, argonMemory, 0}, {2, argonMemory, 5}, {2, argonMemory, 255},
	} {
		r := sample(t, RawKey([32]byte{1}))
		r.KDF, r.Time, r.Memory, r.Threads = argon2id, n.time, n.memory, n.threads
		b, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = Open(b, u)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrFormat) || got > 1<<20 {
			t.Errorf("%s: %v, %d bytes allocated", fmt.Sprint(n), err, got)
		}
	}
}
