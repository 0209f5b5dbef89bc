package sharekv_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

// formats opens stores that have a format, in memory: where it is kept is the
// engine's matter.
type formats struct {
	sharetest.Journal
	format  *atomic.Int64
	failing *atomic.Bool
}

func (f formats) Open(place *sharekv.Place) (sharekv.LocalEngine, error) {
	engine, err := f.Journal.Open(place)
	return formatted{engine, f}, err
}

type formatted struct {
	sharekv.LocalEngine
	of formats
}

func (f formatted) Format() kv.Format { return kv.Format(f.of.format.Load()) }

func (f formatted) Raise() error {
	if f.of.failing.Load() {
		return kv.ErrDiskFull
	}
	f.of.format.Store(int64(kv.NewestFormat))
	return nil
}

// TestRaise: a store is not raised while an older program is connected to its
// owner, whoever asks, and is when that one has gone. From then on another is
// refused, also by the next owner.
func TestRaise(t *testing.T) {
	dir := sharetest.NewDir(t)
	of := formats{format: new(atomic.Int64), failing: new(atomic.Bool)}
	of.format.Store(int64(kv.Format1))
	open := func(options ...sharekv.Option) *sharekv.Store {
		t.Helper()
		s, err := sharekv.Open(dir, of, options...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	wantFormat := func(s *sharekv.Store, want kv.Format) {
		t.Helper()
		if got, err := s.Raise(t.Context()); err != nil || got != want {
			t.Errorf("the store has format %d, %v, want %d", got, err, want)
		}
	}
	older := sharekv.WithVersions(1, 2)
	refused := func() {
		t.Helper()
		if s, err := sharekv.Open(dir, of, older); !errors.Is(err, kv.ErrNewer) {
			t.Errorf("an older program opens a raised store: %v", err)
			s.Close()
		}
	}
	owner, guest, old := open(), open(), open(older)
	wantFormat(owner, kv.Format1)
	wantFormat(guest, kv.Format1)
	wantFormat(old, kv.Format1) // knows of none
	put(t, old, "a", "1")
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	alone := func() {
		for owner.Status().Clients > 1 { // the owner has not noticed yet
			runtime.Gosched()
		}
	}
	alone()
	of.failing.Store(true)
	if _, err := guest.Raise(t.Context()); !errors.Is(err, kv.ErrDiskFull) {
		t.Errorf("raised on a full disk: %v", err)
	}
	open(older).Close() // is still let in
	alone()
	of.failing.Store(false)
	wantFormat(guest, kv.Format2)
	wantFormat(owner, kv.Format2)
	put(t, guest, "a", "2")
	refused()
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, guest, "a", "3") // becomes the owner
	refused()
	wantFormat(guest, kv.Format2)
}

// TestRaiseWaitsForGuests: who becomes the owner does not raise the store before
// those could come back who were at work with the last one.
func TestRaiseWaitsForGuests(t *testing.T) {
	dir := sharetest.NewDir(t)
	of := formats{format: new(atomic.Int64), failing: new(atomic.Bool)}
	of.format.Store(int64(kv.Format1))
	s, err := sharekv.Open(dir, of)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	raised := make(chan struct{})
	go func() {
		defer close(raised)
		if got, err := s.Raise(context.Background()); err != nil || got != kv.Format1 {
			t.Errorf("the store has format %d, %v, want %d", got, err, kv.Format1)
		}
	}()
	old, err := sharekv.Open(dir, of, sharekv.WithVersions(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	select {
	case <-raised:
		t.Error("the store was raised at once")
	default:
	}
	<-raised
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Raise(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	put(t, old, "a", "1")
}
