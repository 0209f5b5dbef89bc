package design

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// get reads a key as a process sees it.
func get(t *testing.T, store kv.Store, key string) string {
	t.Helper()
	snap := store.Snapshot()
	defer snap.Close()
	found, err := snap.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(found[0].Value)
}

func put(t *testing.T, store kv.Store, key, value string) {
	t.Helper()
	_, err := store.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: []byte(value)}}})
	if err != nil {
		t.Fatal(err)
	}
}

func hold(t *testing.T, l *Lease) (release func()) {
	t.Helper()
	release, err := l.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// increment adds one to a counter as the SDKs would: read, compute, upsert.
func increment(t *testing.T, l *Lease) {
	n, _ := strconv.Atoi(get(t, l, "counter"))
	time.Sleep(time.Millisecond) // computing: others run meanwhile
	put(t, l, "counter", strconv.Itoa(n+1))
}

// count has four processes increment a counter ten times each and returns it.
func count(t *testing.T, step func(*Lease)) string {
	store := memkv.New()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			l := NewLease(store, strconv.Itoa(i))
			for range 10 {
				step(l)
			}
		})
	}
	all.Wait()
	return get(t, store, "counter")
}

// TestLeaseExcludes: where everybody takes the lease and nobody is paused, no
// increment is lost; where nobody takes it, as for encrypting, most are.
func TestLeaseExcludes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := count(t, func(l *Lease) {
			defer hold(t, l)()
			increment(t, l)
		})
		if got != "40" {
			t.Errorf("with the lease the counter is %s, want 40", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		if got := count(t, func(l *Lease) { increment(t, l) }); got != "10" {
			t.Errorf("without the lease the counter is %s, want 10: what each process counted alone", got)
		}
	})
}

// TestLeaseWaits: the lease is renewed for as long as it is held, and asked for
// after 10, 20, 40 ... 640 ms and then each second.
func TestLeaseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, start := memkv.New(), time.Now()
		release := hold(t, NewLease(store, "app"))
		time.AfterFunc(2*time.Second, release)
		l := NewLease(store, "NSE")
		hold(t, l)()
		if got, want := time.Since(start), 2270*time.Millisecond; got != want {
			t.Errorf("the lease was had after %v, want %v", got, want)
		}
		if got := l.Refused(); got != 8 {
			t.Errorf("it was refused %d times, want 8", got)
		}
	})
}

// TestHoldEnds: waiting for the lease ends with the context, and the next call
// of the same process is not in its way.
func TestHoldEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memkv.New()
		release := hold(t, NewLease(store, "app"))
		nse := NewLease(store, "NSE")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := nse.Hold(ctx); err != context.DeadlineExceeded {
			t.Errorf("Hold = %v, want %v", err, context.DeadlineExceeded)
		}
		release()
		hold(t, nse)()
	})
}

// TestLeaseIsTakenBack: a process that was killed takes its own lease at once;
// another waits until it has run out.
func TestLeaseIsTakenBack(t *testing.T) {
	for holder, want := range map[string]time.Duration{"app": 0, "NSE": 630 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			store := memkv.New()
			killed := &suspended{Store: store}
			release := hold(t, NewLease(killed, "app"))
			killed.suspend()
			start := time.Now()
			hold(t, NewLease(store, holder))()
			if got := time.Since(start); got != want {
				t.Errorf("%s has the lease after %v, want %v", holder, got, want)
			}
			killed.resume()
			release()
		})
	}
}

// TestGeneration: the cache is dropped when another had the lease since, and
// only then.
func TestGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memkv.New()
		app, nse := NewLease(store, "app"), NewLease(store, "NSE")
		within := func(l *Lease, f func()) {
			defer hold(t, l)()
			f()
		}
		within(app, func() { put(t, app, "k", "1") })
		put(t, store, "k", "behind everybody's back")
		within(app, func() {
			if got := get(t, app, "k"); got != "1" {
				t.Errorf("the app reads %q, want its copy: nobody else had the lease", got)
			}
		})
		within(nse, func() { put(t, nse, "k", "2") })
		if got := get(t, app, "k"); got != "1" {
			t.Errorf("without the lease the app reads %q, want its old copy", got)
		}
		within(app, func() {
			if got := get(t, app, "k"); got != "2" {
				t.Errorf("with the lease the app reads %q, want what the NSE wrote", got)
			}
		})
	})
}

// TestLeaseBreaks: a process that is suspended with the lease loses it, and
// writes all the same when it goes on.
func TestLeaseBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memkv.New()
		phone := &suspended{Store: store}
		app, nse := NewLease(phone, "app"), NewLease(store, "NSE")
		release := hold(t, app)
		if got := get(t, app, "session"); got != "" {
			t.Fatalf("there is a session %q", got)
		}
		phone.suspend()
		start := time.Now()
		releaseNSE := hold(t, nse)
		if got, want := time.Since(start), 630*time.Millisecond; got != want {
			t.Errorf("the lease was had after %v, want %v", got, want)
		}
		put(t, nse, "session", "moved on")
		phone.resume()
		put(t, app, "session", "computed from an old copy")
		if got := get(t, store, "session"); got != "computed from an old copy" {
			t.Errorf("the store has %q: something fenced the write", got)
		}
		release()
		third := NewLease(store, "share extension")
		if taken, err := third.take(t.Context(), LeaseLife); taken || err != nil {
			t.Errorf("take = %v, %v: the lease is the NSE's", taken, err)
		}
		releaseNSE()
	})
}

// TestTakeAtOnce: of two that find the lease free one gets it.
func TestTakeAtOnce(t *testing.T) {
	store := memkv.New()
	nse := NewLease(store, "NSE")
	between := &hooked{Store: store, before: func() {
		if taken, err := nse.take(t.Context(), LeaseLife); !taken || err != nil {
			t.Errorf("the NSE: take = %v, %v; the lease is free", taken, err)
		}
	}}
	app := NewLease(between, "app")
	if taken, err := app.take(t.Context(), LeaseLife); taken || err != nil {
		t.Errorf("the app: take = %v, %v; the NSE was first", taken, err)
	}
}

// hooked calls a function before each commit.
type hooked struct {
	kv.Store
	before func()
}

func (h *hooked) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	h.before()
	return h.Store.Commit(ctx, b)
}

// suspended is a store as a process sees it that can be suspended: its calls do
// not go on until it is resumed, and neither do its clocks' consequences.
type suspended struct {
	kv.Store
	mu   sync.Mutex
	gone chan struct{} // closed when it is resumed; nil if it runs
}

func (s *suspended) suspend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = make(chan struct{})
}

func (s *suspended) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.gone)
	s.gone = nil
}

func (s *suspended) wait() {
	s.mu.Lock()
	gone := s.gone
	s.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

func (s *suspended) Snapshot() kv.Snapshot {
	s.wait()
	return s.Store.Snapshot()
}

func (s *suspended) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	s.wait()
	return s.Store.Commit(ctx, b)
}
