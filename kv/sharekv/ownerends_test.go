package sharekv_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

// ownerBound is docs/waits.md's for a call in the owner, or in another guest, while
// guests are frozen: it is for those that close.
const ownerBound = 2*patience + time.Second

// guestStops are the places at which a guest can be frozen.
var guestStops = map[string]sharetest.Stall{
	"it takes no answers":               {Up: sharetest.All, Full: true},
	"it has taken half an answer":       {Up: sharetest.All, Down: 3, Full: true},
	"half its request has arrived":      {Up: 3, Down: sharetest.All},
	"half its request, and no answers":  {Up: 3, Full: true},
	"its answers lie there":             {Up: sharetest.All},
	"it is gone":                        {Up: 3, Gone: true},
	"it is gone, and answers are on it": {Up: sharetest.All, Down: 3, Gone: true},
}

// byOthers are calls that somebody makes while guests are frozen. None of them
// waits for a guest but to close, and to take a turn that one has.
var byOthers = map[string]func(store *sharekv.Store) error{
	"get":     func(s *sharekv.Store) error { return get(s.Snapshot()) },
	"scan":    func(s *sharekv.Store) error { return scan(s.Snapshot()) },
	"commit":  func(s *sharekv.Store) error { _, err := s.Commit(background, putting("k", "2")); return err },
	"flatten": func(s *sharekv.Store) error { return s.Flatten(background) },
	"raise":   func(s *sharekv.Store) error { _, err := s.Raise(background); return err },
	"turn": func(s *sharekv.Store) error {
		turn, err := s.Turn(background, "k")
		if err == nil {
			turn.Release()
		}
		return err
	},
	"yield": func(s *sharekv.Store) error { return s.Yield(background) },
	"close": func(s *sharekv.Store) error { return s.Close() },
}

// TestFrozenGuests: while two guests are frozen that have a turn, views and a watch,
// and requests of every kind under way, every call of the owner's and of another
// guest's succeeds, in time.
func TestFrozenGuests(t *testing.T) {
	for stop, stall := range guestStops {
		for call, run := range byOthers {
			for _, who := range []string{"the owner", "another guest"} {
				t.Run(stop+"/"+call+" by "+who, func(t *testing.T) {
					dir := filepath.Join(t.TempDir(), "store")
					synctest.Test(t, func(t *testing.T) { frozenGuests(t, dir, stall, who == "the owner", run) })
				})
			}
		}
	}
}

func frozenGuests(t *testing.T, dir string, stall sharetest.Stall, byOwner bool, run func(*sharekv.Store) error) {
	s := &shared{T: t, stalls: new(sharetest.Stalls)}
	s.owner = s.open(dir)
	other, err := sharekv.Open(dir, sharetest.Journal{}, sharekv.WithTransport(&s.stalls.Pipes), sharekv.WithPatience(patience))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.owner.Commit(background, putting("k", strings.Repeat("x", 100_000))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(background)
	var calls sync.WaitGroup
	frozen := []*sharekv.Store{s.open(dir), s.open(dir)}
	begin := make(chan struct{})
	for _, guest := range frozen {
		view := guest.Snapshot()
		defer view.Close()
		for _, call := range []func(){
			func() { _ = get(view) },
			func() { _ = scan(view) },
			func() { _, _ = guest.Commit(background, putting("theirs", "1")) },
			func() { _, _ = guest.Commit(background, putting("k", "1")) },
			func() { _, _ = guest.Turn(background, "k") },
			func() {
				for range guest.Watch(ctx, "", 0) {
				}
			},
		} {
			calls.Go(func() { <-begin; call() })
		}
	}
	if _, err := frozen[0].Turn(background, "k"); err != nil {
		t.Fatal(err)
	}
	settle()
	s.stalls.Begin(stall)
	close(begin)
	synctest.Wait() // what goes through is at the owner

	by := other
	if byOwner {
		by = s.owner
	}
	if err := s.within(ownerBound, func() error { return run(by) }); err != nil {
		t.Errorf("%v", err)
	}
	cancel()
	s.stalls.End()
	calls.Wait()
	for _, store := range append(frozen, other, s.owner) {
		if err := store.Close(); err != nil && !errors.Is(err, kv.ErrClosed) {
			t.Error(err)
		}
	}
}

// TestFrozenReaders: an owner that closes tells all who are in the middle of a scan,
// and waits for those who do not take it all at once.
func TestFrozenReaders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	synctest.Test(t, func(t *testing.T) {
		s := &shared{T: t, stalls: new(sharetest.Stalls)}
		s.owner = s.open(dir)
		for i := range 20 {
			b := putting("k", "1")
			for j := range 90 {
				b.Writes = append(b.Writes, kv.Write{Key: fmt.Sprintf("n/%d/%d", i, j)})
			}
			if _, err := s.owner.Commit(background, b); err != nil {
				t.Fatal(err)
			}
		}
		var guests []*sharekv.Store
		var scans sync.WaitGroup
		goOn := make(chan struct{})
		for range 8 {
			guest := s.open(dir)
			guests = append(guests, guest)
			scans.Go(func() {
				for range guest.Snapshot().Scan(background, "") {
					<-goOn
				}
			})
		}
		settle()
		s.stalls.Begin(sharetest.Stall{Up: sharetest.All, Full: true})
		if err := s.within(ownerBound, s.owner.Close); err != nil {
			t.Error(err)
		}
		close(goOn)
		s.stalls.End()
		scans.Wait()
		for _, guest := range guests {
			if err := guest.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
