package conform

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// Open starts a program on the store at path and returns it. The program ends with
// the test, and what it says on standard error is the test's to log.
func Open(t testing.TB, path string, args ...string) kv.Store {
	t.Helper()
	p, err := start(args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
		if said := p.said.String(); said != "" {
			t.Logf("the program's standard error:\n%s", said)
		}
	})
	a, err := p.call(context.Background(), request{Call: "open", ofStore: &ofStore{path}})
	if err == nil && a.Limits == nil {
		err = errors.New("conform: the answer to open has no limits")
	}
	if err != nil {
		t.Fatal(err)
	}
	return &store{program: p, limits: kv.Limits{
		Bytes: a.Limits.Bytes, Writes: a.Limits.Writes, Checks: a.Limits.Checks, CommitIDs: a.Limits.CommitIDs,
		TurnLife: time.Duration(a.Limits.TurnLifeMS) * time.Millisecond,
	}}
}

// store is a kv.Store that a program keeps.
type store struct {
	*program
	limits  kv.Limits
	views   atomic.Int64
	watches atomic.Int64
}

// Snapshot implements kv.Store.
func (s *store) Snapshot() kv.Snapshot { return &view{s, s.views.Add(1)} }

// Commit implements kv.Store.
func (s *store) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	c := ofCommit{
		Began: b.ID.Began, Random: b.ID.Random[:], Reads: readsOf(b.Reads), Scans: []scanRead{}, Writes: []write{},
		Turn: b.Turn, Sync: b.Sync, Again: b.Again,
	}
	for _, scan := range b.Scans {
		c.Scans = append(c.Scans, scanRead{[]byte(scan.Prefix), readsOf(scan.Entries)})
	}
	for _, w := range b.Writes {
		value := append([]byte{}, w.Value...)
		if w.Delete {
			value = nil
		}
		c.Writes = append(c.Writes, write{[]byte(w.Key), value, w.Delete})
	}
	a, err := s.call(ctx, request{Call: "commit", ofCommit: &c})
	return a.Version, err
}

// Turn implements kv.Store.
func (s *store) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	a, err := s.call(ctx, request{Call: "turn", ofKeys: &ofKeys{bytesOf(keys)}})
	if err != nil {
		return kv.Turn{}, err
	}
	return kv.Turn{ID: a.Turn, Release: func() {
		_, _ = s.call(context.Background(), request{Call: "release", ofRelease: &ofRelease{a.Turn}})
	}}, nil
}

// Watch implements kv.Store.
func (s *store) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		watch := &ofWatch{s.watches.Add(1)}
		_, err := s.call(ctx, request{Call: "watch", ofWatch: watch, ofPrefix: &ofPrefix{[]byte(prefix)}, ofSince: &ofSince{after}})
		for err == nil {
			var a answer
			if a, err = s.call(ctx, request{Call: "next", ofWatch: watch}); err != nil {
				break
			}
			if a.Change == nil {
				err = errors.New("conform: the answer to next has no change")
				break
			}
			c := kv.Change{Key: string(a.Change.Key), Version: a.Change.Version, Head: a.Change.Head, Resync: a.Change.Resync}
			if !yield(c, nil) {
				_, _ = s.call(context.Background(), request{Call: "unwatch", ofWatch: watch})
				return
			}
		}
		yield(kv.Change{}, err)
	}
}

// Limits implements kv.Store.
func (s *store) Limits() kv.Limits { return s.limits }

// Close implements kv.Store.
func (s *store) Close() error {
	_, err := s.call(context.Background(), request{Call: "close"})
	return err
}
