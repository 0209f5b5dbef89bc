package workload

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
)

// prepared makes the entries of a comparison, and a store of them.
func prepared(t *testing.T, name string, p result.Params) (*preparation, kv.Store) {
	t.Helper()
	c := tiny(t, name, p, on([]string{Memory}, ours))
	w, err := c.check()
	if err != nil {
		t.Fatal(err)
	}
	made, err := prepare(t.Context(), c, w)
	if err != nil {
		t.Fatal(err)
	}
	store := memkv.New()
	t.Cleanup(func() { store.Close() })
	if err := fill(t.Context(), store, made.entries); err != nil {
		t.Fatal(err)
	}
	return made, store
}

// TestPreparedStore: what is prepared is a store of Pawl's in which every
// invariant holds.
func TestPreparedStore(t *testing.T) {
	for name, p := range map[string]result.Params{
		Decrypt: {Sessions: 3}, OpenIn: {}, Encrypt: {Peers: 4}, Processes: {},
	} {
		_, engine := prepared(t, name, p)
		store, err := pawl.Open(t.Context(), engine, storeKey())
		if err != nil {
			t.Fatal(err)
		}
		m, err := store.Machine(t.Context(), bobUser, bobDevice)
		if err != nil {
			t.Fatal(err)
		}
		if broken, err := m.Check(t.Context()); err != nil || len(broken) > 0 {
			t.Errorf("%s: check: %q, %v", name, broken, err)
		}
	}
}

// TestFiller: a store has as many sessions as it is to have, whether there are
// messages for them or not.
func TestFiller(t *testing.T) {
	_, engine := prepared(t, Decrypt, result.Params{Sessions: 400})
	snap := engine.Snapshot()
	defer snap.Close()
	kinds := map[string]int{}
	var sizes []int
	for e, err := range snap.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := bytes.Cut([]byte(e.Key[bytes.IndexByte([]byte(e.Key), '/')+1:]), []byte("/"))
		kinds[string(kind)]++
		if string(kind) == "session" {
			sizes = append(sizes, len(e.Value))
		}
	}
	if kinds["session"] != 400 || kinds["peer"] != 400 {
		t.Errorf("there are %v, want 400 sessions and peers", kinds)
	}
	if least, most := slices.Min(sizes), slices.Max(sizes); most-least > 8 {
		t.Errorf("sessions have %d to %d bytes: those that nobody writes in are of another size", least, most)
	}
}

// TestSameMessages: a seed makes the same messages again, another makes others.
func TestSameMessages(t *testing.T) {
	bodies := func(seed uint64) []letter {
		c := tiny(t, Decrypt, result.Params{Sessions: 5}, on([]string{Memory}, ours))
		c.Seed = seed
		w, err := c.check()
		if err != nil {
			t.Fatal(err)
		}
		p, err := prepare(t.Context(), c, w)
		if err != nil {
			t.Fatal(err)
		}
		var all []letter
		for _, b := range p.blocks {
			for _, c := range b.scripts[0] {
				all = append(all, c.Letters...)
			}
		}
		return all
	}
	same := func(a, b letter) bool { return a.From == b.From && bytes.Equal(a.Body, b.Body) }
	first := bodies(1)
	if !slices.EqualFunc(first, bodies(1), same) {
		t.Error("a seed makes other messages the second time")
	}
	if slices.EqualFunc(first, bodies(2), same) {
		t.Error("two seeds make the same messages")
	}
}

// TestLedger: a message key that is used twice, a message that its peer cannot
// read and one that says something else are counted.
func TestLedger(t *testing.T) {
	p, _ := prepared(t, Encrypt, result.Params{Peers: 1})
	id := p.peers[0].id()
	bob := func(state *ratchet.Session, number uint64, size int) made {
		next, m, err := state.Encrypt(source(1, "test", int(number)), text(number, size))
		if err != nil {
			t.Fatal(err)
		}
		*state = next
		return made{Number: number, Peer: id, Session: next.ID(), Type: m.Type, Body: m.Body}
	}
	met := p.peers[0]
	s, err := met.meet(p.bob.account, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l := newLedger(p)
	l.peers[id].session = met.session
	state, err := s.Ratchet()
	if err != nil {
		t.Fatal(err)
	}
	old := state
	var all []made
	for range 60 { // more than the peer keeps keys of
		all = append(all, bob(&state, uint64(len(all)), l.size))
	}
	slices.Reverse(all)
	l.judge(answer{Made: all})
	if l.wrong.Any() {
		t.Fatalf("wrong %+v, %v: all can be read in their order", l.wrong, l.errors)
	}
	l.judge(answer{Made: []made{bob(&old, 3, l.size)}})
	if want := (result.Wrong{Lost: 1, Reused: 1}); l.wrong != want {
		t.Errorf("wrong %+v, want %+v", l.wrong, want)
	}
	l.judge(answer{Made: []made{bob(&state, 4, l.size+1)}, Failed: []failure{{5, id, "no"}}})
	if want := (result.Wrong{Lost: 3, Reused: 1}); l.wrong != want {
		t.Errorf("wrong %+v, want %+v", l.wrong, want)
	}
	if !l.suspects[id] || l.errors["no"] != 1 {
		t.Errorf("suspects %v, errors %v", l.suspects, l.errors)
	}
}

// TestDealer: every number is dealt once, and none is far ahead of one that is
// not done.
func TestDealer(t *testing.T) {
	const of = 500
	d := newDealer(of)
	var mu sync.Mutex
	open, dealt := map[int]bool{}, map[int]int{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range d.deal() {
				mu.Lock()
				dealt[n]++
				open[n] = true
				for other := range open {
					if n-other > ahead {
						t.Errorf("%d was dealt while %d was not done", n, other)
					}
				}
				delete(open, n)
				mu.Unlock()
				d.done(n)
			}
		})
	}
	all.Wait()
	for n := range of {
		if dealt[n] != 1 {
			t.Errorf("%d was dealt %d times", n, dealt[n])
		}
	}
	stopped := newDealer(of)
	stopped.stop()
	for n := range stopped.deal() {
		t.Errorf("%d was dealt after the end", n)
	}
}

// TestDealerWaits: one number that is not done holds the others up, until it is.
func TestDealerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDealer(2 * ahead)
		first, _ := d.take()
		for range ahead - 1 {
			n, _ := d.take()
			d.done(n)
		}
		next := make(chan int, 1)
		go func() {
			n, _ := d.take()
			next <- n
		}()
		synctest.Wait()
		select {
		case n := <-next:
			t.Fatalf("%d was dealt while %d was not done", n, first)
		default:
		}
		d.done(first)
		if n := <-next; n != ahead {
			t.Errorf("%d was dealt, want %d", n, ahead)
		}
	})
}

// TestEntries: what is written is read again, and a file that was cut is an
// error.
func TestEntries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "entries")
	w, err := createEntries(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.add("a", []byte("one")), w.add("b/c", nil), w.close()); err != nil {
		t.Fatal(err)
	}
	store := memkv.New()
	defer store.Close()
	if err := fill(t.Context(), store, path); err != nil {
		t.Fatal(err)
	}
	snap := store.Snapshot()
	defer snap.Close()
	got, err := snap.Get(t.Context(), "a", "b/c")
	if err != nil || string(got[0].Value) != "one" || !got[1].Exists() || len(got[1].Value) != 0 {
		t.Errorf("the entries are %v, %v", got, err)
	}
	for _, cut := range [][]byte{{1}, {1, 3, 'a'}, {1, 3, 'a', 'o', 'n'}} {
		if _, err := readEntry(bufio.NewReader(bytes.NewReader(cut))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v: %v, want %v", cut, err, io.ErrUnexpectedEOF)
		}
	}
}

// TestLatency: calls are counted in the bins of the result, and the quantiles
// are those of all runs together.
func TestLatency(t *testing.T) {
	var a, b outcome
	for i := range 1000 {
		o := &a
		if i%2 == 1 {
			o = &b
		}
		o.latencies = append(o.latencies, time.Duration(i+1)*time.Microsecond)
	}
	b.latencies = append(b.latencies, time.Hour)
	l := latencyOf([]outcome{a, b})
	for _, q := range []struct {
		name      string
		got, want time.Duration
	}{{"p50", l.P50, 501 * time.Microsecond}, {"p99", l.P99, 991 * time.Microsecond}, {"p99.9", l.P999, 1000 * time.Microsecond}} {
		if d := q.got - q.want; d < -time.Microsecond || d > time.Microsecond {
			t.Errorf("%s is %v, want %v", q.name, q.got, q.want)
		}
	}
	if n := l.Counts[len(l.Counts)-1]; n != 1 {
		t.Errorf("%d calls took longer than all bounds, want 1", n)
	}
	if n := l.Counts[result.Bin(500*time.Microsecond)]; n != 90 {
		t.Errorf("%d calls from 470 us to 560 us, want 90", n)
	}
}

// TestMedian: of an even number it is the mean of the two in the middle.
func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 2: {3, 1, 2}, 2.5: {4, 1, 3, 2}} {
		if got := median(values); got != want {
			t.Errorf("median of %v is %v, want %v", values, got, want)
		}
	}
}
