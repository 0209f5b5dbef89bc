package sharekv_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

const (
	// patience is what the stores of this file have. Their time is not the
	// system's: nothing is waited for.
	patience = 5 * time.Second
	// callBound is docs/processes.md's for a call on a store.
	callBound = 3 * patience
)

// stops are all places at which what a guest and its owner say to each other can
// stop.
var stops = map[string]sharetest.Stall{
	"the request is not taken":                     {Full: true, Down: sharetest.All},
	"half the request is taken":                    {Up: 3, Full: true, Down: sharetest.All},
	"half the request arrives":                     {Up: 3, Down: sharetest.All},
	"the request lies there":                       {},
	"the answer is not sent":                       {Up: sharetest.All},
	"half the answer comes":                        {Up: sharetest.All, Down: 3},
	"the request lies there, and nobody is let in": {Deaf: true},
	"gone before the request":                      {Gone: true, Down: sharetest.All},
	"gone in the request":                          {Up: 3, Gone: true, Down: sharetest.All},
	"gone before the answer":                       {Up: sharetest.All, Gone: true},
	"gone in the answer":                           {Up: sharetest.All, Down: 3, Gone: true},
}

// shared is an owner and a guest in one process.
type shared struct {
	*testing.T
	stalls       *sharetest.Stalls
	owner, guest *sharekv.Store
}

// share calls f with an owner and a guest, in time of their own.
func share(t *testing.T, f func(s *shared)) {
	dir := filepath.Join(t.TempDir(), "store")
	synctest.Test(t, func(t *testing.T) {
		s := &shared{T: t, stalls: new(sharetest.Stalls)}
		s.owner, s.guest = s.open(dir), s.open(dir)
		if _, err := s.guest.Commit(t.Context(), putting("k", "0")); err != nil {
			t.Fatal(err)
		}
		f(s)
		s.stalls.End()
		if err := errors.Join(s.guest.Close(), s.owner.Close()); err != nil {
			t.Error(err)
		}
	})
}

func (s *shared) open(dir string) *sharekv.Store {
	store, err := sharekv.Open(dir, sharetest.Journal{}, sharekv.WithTransport(s.stalls), sharekv.WithPatience(patience))
	if err != nil {
		s.Fatal(err)
	}
	return store
}

// settle lets what belongs to earlier calls arrive.
func settle() { time.Sleep(time.Second); synctest.Wait() }

func putting(key, value string) *kv.Batch {
	return &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: []byte(value)}}}
}

// within checks that a call of a store ends within a bound.
func (s *shared) within(bound time.Duration, call func() error) error {
	s.Helper()
	began := time.Now()
	err := call()
	if took := time.Since(began); took > bound {
		s.Errorf("took %v, at most %v (%v)", took, bound, err)
	}
	return err
}

// background has no end.
var background = context.Background()

// reading are calls that change nothing: whatever stops, nothing can have
// happened.
var reading = map[string]func(s *shared, view kv.Snapshot) error{
	"get":        func(s *shared, _ kv.Snapshot) error { return get(s.guest.Snapshot()) },
	"get again":  func(_ *shared, view kv.Snapshot) error { return get(view) },
	"version":    func(s *shared, _ kv.Snapshot) error { _, err := s.guest.Snapshot().Version(background); return err },
	"scan":       func(s *shared, _ kv.Snapshot) error { return scan(s.guest.Snapshot()) },
	"scan again": func(_ *shared, view kv.Snapshot) error { return scan(view) },
	"validate":   func(s *shared, _ kv.Snapshot) error { _, err := s.guest.Commit(background, &kv.Batch{}); return err },
	"turn":       func(s *shared, _ kv.Snapshot) error { _, err := s.guest.Turn(background, "k"); return err },
	"raise":      func(s *shared, _ kv.Snapshot) error { _, err := s.guest.Raise(background); return err },
	"flatten":    func(s *shared, _ kv.Snapshot) error { return s.guest.Flatten(background) },
}

func get(view kv.Snapshot) error {
	_, err := view.Get(background, "k")
	return err
}

func scan(view kv.Snapshot) error {
	for _, err := range view.Scan(background, "") {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestReadsEnd: a call that changes nothing ends wherever the owner is frozen, or
// gone, with a context that does not. When the owner goes on, so does the guest.
func TestReadsEnd(t *testing.T) {
	for call, run := range reading {
		for stop, stall := range stops {
			t.Run(call+"/"+stop, func(t *testing.T) {
				share(t, func(s *shared) {
					view := s.guest.Snapshot()
					defer view.Close()
					if err := get(view); err != nil {
						t.Fatal(err)
					}
					settle()
					s.stalls.Begin(stall)
					err := s.within(callBound, func() error { return run(s, view) })
					if !errors.Is(err, kv.ErrUnavailable) && !errors.Is(err, kv.ErrConflict) || errors.Is(err, kv.ErrUnknown) {
						t.Errorf("%v, want kv.ErrUnavailable, or kv.ErrConflict of a view", err)
					}
					s.stalls.End()
					if err := get(s.guest.Snapshot()); err != nil {
						t.Errorf("when the owner goes on: %v", err)
					}
				})
			})
		}
	}
}

// TestPagesEnd: the owner is frozen between two pages of a scan.
func TestPagesEnd(t *testing.T) {
	for stop, stall := range stops {
		t.Run(stop, func(t *testing.T) {
			share(t, func(s *shared) {
				for i := range 3 {
					var b kv.Batch
					b.ID = kv.NewCommitID(0)
					for j := range 400 {
						b.Writes = append(b.Writes, kv.Write{Key: fmt.Sprintf("n/%d/%d", i, j)})
					}
					if _, err := s.guest.Commit(background, &b); err != nil {
						t.Fatal(err)
					}
				}
				settle()
				n := 0
				err := s.within(callBound, func() error {
					for _, err := range s.guest.Snapshot().Scan(background, "n/") {
						if err != nil {
							return err
						}
						if n++; n == 1 {
							s.stalls.Begin(stall)
						}
					}
					return nil
				})
				if n == 0 || !errors.Is(err, kv.ErrUnavailable) && !errors.Is(err, kv.ErrConflict) {
					t.Errorf("%v after %d entries, want kv.ErrUnavailable or kv.ErrConflict", err, n)
				}
			})
		})
	}
}

// TestCommitsEnd: so does a commit, which says what may have become of it. What is
// unknown the identical batch resolves when the owner goes on, and what is not was
// not applied.
func TestCommitsEnd(t *testing.T) {
	for stop, stall := range stops {
		t.Run(stop, func(t *testing.T) {
			share(t, func(s *shared) {
				settle()
				s.stalls.Begin(stall)
				b := putting("k", "1")
				err := s.within(callBound, func() error { _, err := s.guest.Commit(background, b); return err })
				sent := !stall.Full
				switch {
				case sent && !errors.Is(err, kv.ErrUnknown):
					t.Errorf("%v, want kv.ErrUnknown", err)
				case !sent && (!errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrUnknown)):
					t.Errorf("%v, want kv.ErrUnavailable: it was not sent", err)
				}
				s.stalls.End()
				b.Again = sent
				first, err := s.guest.Commit(background, b)
				if err != nil {
					t.Fatalf("the identical batch: %v", err)
				}
				settle() // what lay there arrives, if it can
				again, err := s.owner.Commit(background, b)
				if err != nil || again != first {
					t.Errorf("applied as version %d, and %d: %v", first, again, err)
				}
				if head, err := s.owner.Snapshot().Version(background); err != nil || head != 2 {
					t.Errorf("the store is at version %d, %v, want 2: one commit each", head, err)
				}
			})
		})
	}
}

// TestOpeningEnds: so does opening a store, and no call is needed for that.
func TestOpeningEnds(t *testing.T) {
	for stop, stall := range stops {
		t.Run(stop, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			synctest.Test(t, func(t *testing.T) {
				s := &shared{T: t, stalls: new(sharetest.Stalls)}
				s.owner = s.open(dir)
				s.stalls.Begin(stall)
				err := s.within(callBound, func() error {
					store, err := sharekv.Open(dir, sharetest.Journal{}, sharekv.WithTransport(s.stalls), sharekv.WithPatience(patience))
					if err == nil {
						return store.Close()
					}
					return err
				})
				if !errors.Is(err, kv.ErrUnavailable) {
					t.Errorf("%v, want kv.ErrUnavailable", err)
				}
				s.stalls.End()
				guest := s.open(dir)
				if err := errors.Join(get(guest.Snapshot()), guest.Close(), s.owner.Close()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestClosingEnds: so do Close and Yield of a guest with calls of every kind under
// way, and these with them.
func TestClosingEnds(t *testing.T) {
	for name, end := range map[string]func(*sharekv.Store) error{
		"close": func(s *sharekv.Store) error { return s.Close() },
		"yield": func(s *sharekv.Store) error { return s.Yield(background) },
	} {
		for stop, stall := range stops {
			t.Run(name+"/"+stop, func(t *testing.T) {
				share(t, func(s *shared) {
					view := s.guest.Snapshot()
					defer view.Close()
					if err := get(view); err != nil {
						t.Fatal(err)
					}
					settle()
					s.stalls.Begin(stall)
					var calls sync.WaitGroup
					for call, run := range reading {
						calls.Go(func() {
							if err := run(s, view); err == nil {
								t.Errorf("%s succeeds", call)
							}
						})
					}
					calls.Go(func() {
						if _, err := s.guest.Commit(background, putting("k", "1")); err == nil {
							t.Error("a commit succeeds")
						}
					})
					synctest.Wait()
					if err := s.within(callBound, func() error { return end(s.guest) }); err != nil {
						t.Error(err)
					}
					if err := s.within(callBound, func() error { calls.Wait(); return nil }); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}
