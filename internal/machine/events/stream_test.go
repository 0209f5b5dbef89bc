package events_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/events"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// read reads events until want says that they are enough, and returns them.
func (p process) read(after events.Position, enough func([]events.Event) bool) (all []events.Event) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	for e, err := range events.Stream(ctx, p.account, after) {
		if err != nil {
			p.Fatalf("after %d events: %v", len(all), err)
		}
		if all = append(all, e); enough(all) {
			break
		}
	}
	return all
}

// readN reads so many events.
func (p process) readN(after events.Position, n int) []events.Event {
	p.Helper()
	return p.read(after, func(all []events.Event) bool { return len(all) == n })
}

// subject says what an event is about.
func subject(e events.Event) string {
	switch e.Kind {
	case events.RoomKey:
		return "key " + e.Session.String()
	case events.DeviceChanged:
		return "device " + string(e.Device.Device)
	case events.IdentityChanged:
		return "identity " + string(e.Identity.User)
	case events.Refused:
		return fmt.Sprint("refused ", e.Refused.N)
	}
	return "resync"
}

// TestEvents: a reader that begins gets one mark and the state of everything; one
// that goes on from its position gets what has changed since, whoever changed it, and
// then what changes.
func TestEvents(t *testing.T) {
	store := memkv.New()
	here, there := newProcess(t, store), newProcess(t, store)
	k := key(t, 3)
	there.putKey(room, k)
	phone := there.putDevice(1, "phone")
	eve := there.putIdentity(bob, 1)
	there.refuse(1)
	all := here.readN(events.Position{}, 5)
	found := map[string]events.Event{}
	for i, e := range all {
		found[subject(e)] = e
		if (e.Kind == events.Resync) != (i == 0) {
			t.Errorf("event %d is %s", i, subject(e))
		}
		if i < 4 && e.Position != (events.Position{}) && e.Position != all[0].Position {
			t.Errorf("event %d moves on to %v before all of them are told", i, e.Position)
		}
	}
	if e := found["key "+k.ID().String()]; e.Room != room || e.Index != 3 {
		t.Errorf("%+v", e)
	}
	if e := found["device D1"]; e.Device != phone {
		t.Errorf("%+v", e)
	}
	if e := found["identity @bob:example.org"]; e.Identity != eve {
		t.Errorf("%+v", e)
	}
	if e := found["refused 0"]; e.Refused.Sender != bob {
		t.Errorf("%+v", e)
	}

	at := all[4].Position
	there.putDevice(1, "a")
	there.putDevice(1, "b")
	there.putIdentity(bob, 2)
	next := here.readN(at, 2)
	for _, e := range next {
		switch {
		case e.Kind == events.DeviceChanged && e.Device.DisplayName == "b":
		case e.Kind == events.IdentityChanged && e.Identity.Changed():
		default:
			t.Errorf("%+v", e)
		}
	}
	// Whoever stops in the midst is told all of it again: of what was read at once, which is
	// less where the watch had told of the first change alone.
	left := 2
	if next[0].Position != at {
		left = 1
	}
	if again := here.readN(next[0].Position, left); again[left-1].Position != next[1].Position {
		t.Errorf("%v, %v", again, next)
	}
	live := make(chan events.Event, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for e, err := range events.Stream(ctx, here.account, next[1].Position) {
			if err != nil {
				ended <- err
				return
			}
			live <- e
		}
	}()
	for n := range 3 {
		there.putDevice(2, fmt.Sprint(n))
		if e := <-live; e.Kind != events.DeviceChanged || e.Device.DisplayName != fmt.Sprint(n) {
			t.Errorf("%+v", e)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

// TestPositions: text and back, and nothing else; a position of another generation,
// or of a time that is lost, begins anew.
func TestPositions(t *testing.T) {
	p := newProcess(t, memkv.New())
	p.putDevice(1, "phone")
	all := p.readN(events.Position{}, 2)
	at, err := events.ParsePosition(all[1].Position.String())
	if err != nil || at != all[1].Position {
		t.Errorf("%v, %v", at, err)
	}
	if zero, err := events.ParsePosition(""); err != nil || zero != (events.Position{}) {
		t.Errorf("%v, %v", zero, err)
	}
	for _, bad := range []string{"1", ".", "1.", ".1", "01.1", "1.1.1", "-1.1", "1.99999999999999999999", "x.1"} {
		if _, err := events.ParsePosition(bad); !errors.Is(err, events.ErrPosition) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, text := range []string{"0.99999999999", "7.3", fmt.Sprintf("0.%d", uint64(1)<<63)} {
		strange, err := events.ParsePosition(text)
		must(t, err)
		if got := p.readN(strange, 2); got[0].Kind != events.Resync || got[1].Kind != events.DeviceChanged {
			t.Errorf("from %s: %v", text, got)
		}
	}
}

// TestReadersThatFellBehind: one that comes back when the engine does not know any
// more what changed since, and one for whom more changes while it reads than is kept
// for it, get one mark, and then the state of what has changed.
func TestReadersThatFellBehind(t *testing.T) {
	const many = 12_000
	store := &told{Store: memkv.New(), wants: many, all: make(chan struct{})}
	p := newProcess(t, store)
	p.putDevice(1, "phone")
	at := p.readN(events.Position{}, 2)[1].Position
	p.flood(5 * kv.EmbeddedWrites)
	p.putDevice(2, "new")
	all := p.readN(at, 2)
	if all[0].Kind != events.Resync || all[1].Device.DisplayName != "new" {
		t.Errorf("%v", all)
	}

	at = all[1].Position
	p.putDevice(3, "first")
	marks, subjects := 0, map[string]bool{}
	p.read(at, func(all []events.Event) bool {
		e := all[len(all)-1]
		if len(all) == 1 {
			p.identities(many)
			store.wait(t) // else what is read in between keeps less than a mark takes
		}
		if e.Kind == events.Resync {
			marks++
		} else {
			subjects[subject(e)] = true
		}
		return len(subjects) == many+1
	})
	if marks != 1 {
		t.Errorf("%d marks", marks)
	}
}

// told is a store that knows when a watch has been told of so many identities, or that
// it cannot be.
type told struct {
	kv.Store
	wants int
	seen  atomic.Int32
	once  sync.Once
	all   chan struct{}
}

func (s *told) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		for c, err := range s.Store.Watch(ctx, prefix, after) {
			if !yield(c, err) {
				return
			}
			if _, kind := txn.KindOf(c.Key); (kind == records.Identities.Kind && int(s.seen.Add(1)) == s.wants) || c.Resync && s.seen.Load() > 0 {
				s.once.Do(func() { close(s.all) })
			}
		}
	}
}

func (s *told) wait(t *testing.T) {
	t.Helper()
	select {
	case <-s.all:
	case <-time.After(patience):
		t.Fatal("the watch was not told of all")
	}
}

// identities stores as many.
func (p process) identities(n int) {
	p.Helper()
	for from := 0; from < n; from += 1000 {
		p.do(func(tx *txn.Tx) error {
			for i := from; i < from+1000; i++ {
				user := matrix.UserID(fmt.Sprintf("@u%d:example.org", i))
				k := device.Known{Identity: device.Identity{User: user, Master: account.VerifyKey{1}}, Pinned: account.VerifyKey{1}}
				if err := records.Identities.Put(tx, k); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// flood changes records that no event is about.
func (p process) flood(n int) {
	p.Helper()
	for n > 0 {
		p.do(func(tx *txn.Tx) error {
			for i := range 1000 {
				name := records.ReachName{Server: fmt.Sprint(i)}
				if err := records.Reaches.Put(tx, records.Reach{Of: name}); err != nil {
					return err
				}
			}
			return nil
		})
		n -= 1000
	}
}

// TestEventsOfRandomChanges: whatever changes, from whichever process, and wherever
// readers stop and go on, the last event of each subject is its state.
func TestEventsOfRandomChanges(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		store := memkv.New()
		writers := []process{newProcess(t, store), newProcess(t, store)}
		reader := writers[seed%2]
		want := map[string]string{}
		told := map[string]string{}
		at := events.Position{}
		n := 0
		for round := range 4 {
			for range random.IntN(12) {
				w := writers[random.IntN(2)]
				n++
				if random.IntN(2) == 0 {
					d := w.putDevice(random.IntN(4), fmt.Sprint(n))
					want["device "+string(d.Device)] = d.DisplayName
				} else {
					user := matrix.UserID(fmt.Sprintf("@u%d:example.org", random.IntN(3)))
					k := w.putIdentity(user, byte(n+1))
					want["identity "+string(user)] = k.Master.String()
				}
			}
			// The end of what there is, so that a reader need not wait for nothing.
			end := writers[0].putDevice(9, fmt.Sprint("end ", round))
			want["device D9"] = end.DisplayName
			stop := random.IntN(4) // how often the reader is killed before it is done
			for {
				left := 1 + random.IntN(6)
				done := false
				reader.read(at, func(all []events.Event) bool {
					e := all[len(all)-1]
					switch e.Kind {
					case events.DeviceChanged:
						told[subject(e)] = e.Device.DisplayName
					case events.IdentityChanged:
						told[subject(e)] = e.Identity.Master.String()
					}
					at = e.Position
					done = same(told, want)
					return done || stop > 0 && len(all) >= left
				})
				if done {
					break
				}
				stop--
			}
		}
	}
}

func same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// TestDamagedSubjects: what cannot be read is no event, and keeps no other from being
// told.
func TestDamagedSubjects(t *testing.T) {
	store := memkv.New()
	p := newProcess(t, store)
	bad, good := p.putDevice(1, "bad"), p.putDevice(2, "good")
	key, err := txn.View(t.Context(), p.account.DB, func(tx *txn.Tx) (string, error) { return records.Devices.Key(tx, bad.Name) })
	must(t, err)
	_, err = store.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: []byte("damaged")}}})
	must(t, err)
	if all := p.readN(events.Position{}, 2); all[1].Device != good {
		t.Errorf("%+v", all)
	}
	must(t, store.Close())
	for _, err := range events.Stream(t.Context(), p.account, events.Position{}) {
		if !errors.Is(err, kv.ErrClosed) {
			t.Errorf("of a closed store: %v", err)
		}
	}
	gone := newProcess(t, memkv.New())
	gone.account.Name.Device = "OTHER"
	for _, err := range events.Stream(t.Context(), gone.account, events.Position{}) {
		if !errors.Is(err, machine.ErrNoAccount) && !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("of no account: %v", err)
		}
	}
}

// TestWedges: a device that is wedged is one event, and one that is heard again; what is
// only to be given again to one that was not wedged is none.
func TestWedges(t *testing.T) {
	p := newProcess(t, memkv.New())
	w := records.Wedge{Key: [32]byte{1}, User: "@bob:example.org"}
	quiet := w
	quiet.Key, quiet.Again = [32]byte{2}, [32]byte{3}
	put := func(all ...records.Wedge) {
		t.Helper()
		for _, w := range all {
			must(t, p.account.Do(t.Context(), func(tx *txn.Tx) error { return records.Wedges.Put(tx, w) }))
		}
	}
	now := p.account.Store.Now()
	wedged := w.Seen(record.Moment{Time: now, Order: 5}, "why")
	put(quiet, wedged)
	got := p.readN(events.Position{}, 2)
	if e := got[1]; e.Kind != events.Wedged || e.Wedge.Key != w.Key || e.Wedge.Why != "why" {
		t.Errorf("%+v", e)
	}
	put(quiet, wedged.Well(now))
	if e := p.readN(got[1].Position, 1)[0]; e.Kind != events.Unwedged || e.Wedge.Key != w.Key || e.Wedge.Heard.IsZero() {
		t.Errorf("%+v", e)
	}
}
