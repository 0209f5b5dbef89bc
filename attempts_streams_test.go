package pawl_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// streams are others who come before each commit of the one who goes through the
// store, and leave nothing as it was: what the lost attempt has read, and what the
// next will read instead.
type streams struct {
	t     *testing.T
	store kv.Store // as the others have it
	each  []func() // the next of each stream
	late  sync.WaitGroup

	mu      sync.Mutex
	on      bool
	turn    bool      // the one who goes through the store has one
	held    []string  // its keys; none: the whole store
	since   time.Time // it was asked for
	expired int       // commits that were lost after their turn was over
}

// wrap returns the store as the one has it whom they come before.
func (r *streams) wrap(mine kv.Store) kv.Store {
	return faulty.Wrap(mine, faulty.Hooks{Before: r.before, After: r.after})
}

func (r *streams) before(_ context.Context, call faulty.Call) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.on:
	case call.Op == faulty.Turn:
		r.change()
		r.since = time.Now()
		r.late.Go(func() { r.touch(nil) }) // is on its way, perhaps, when the turn is granted
	case call.Op == faulty.Commit && call.Batch.Turn == 0:
		r.change()
		r.touch(nil)
	case call.Op == faulty.Commit:
		r.disturb()
	}
	return nil
}

func (r *streams) after(_ context.Context, call faulty.Call, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case call.Op == faulty.Turn && err == nil:
		r.turn, r.held = true, slices.Clone(call.Keys)
	case call.Op == faulty.Commit && errors.Is(err, kv.ErrConflict) && r.turn && time.Since(r.since) > r.store.Limits().TurnLife:
		r.expired++
		fallthrough
	case call.Op == faulty.Commit:
		r.turn = false
	}
	return nil
}

// change lets each stream make its next change. Nobody has a turn that lasts.
func (r *streams) change() {
	r.late.Wait()
	for _, next := range r.each {
		next()
	}
}

// grace is how long others are waited for that a turn may hold up. One that is
// only slow comes late then, which is no mistake.
const grace = 20 * time.Millisecond

// disturb changes what the turn does not hold.
func (r *streams) disturb() {
	if len(r.held) == 0 { // nothing
		r.late.Go(func() { r.touch(nil) })
		return
	}
	held, done := r.held, make(chan struct{})
	r.late.Go(func() { defer close(done); r.touch(held) })
	select {
	case <-done:
	case <-time.After(grace):
	}
}

// touch stores again all that is there but some keys, as if everything had
// changed.
func (r *streams) touch(but []string) {
	snap := r.store.Snapshot()
	defer snap.Close()
	b := &kv.Batch{}
	for e, err := range snap.Scan(context.Background(), "") {
		if err != nil {
			return // the view is gone, or the store
		}
		if !slices.Contains(but, e.Key) {
			b.Reads = append(b.Reads, kv.Read{Key: e.Key, Version: e.Version})
			b.Writes = append(b.Writes, kv.Write{Key: e.Key, Value: e.Value})
		}
	}
	version, err := snap.Version(context.Background())
	if err != nil {
		return
	}
	snap.Close() // an engine may wait for views to end
	for len(b.Writes) > 0 {
		n := min(len(b.Writes), kv.FloorWrites)
		part := &kv.Batch{ID: kv.NewCommitID(version), Reads: b.Reads[:n], Writes: b.Writes[:n]}
		b.Reads, b.Writes = b.Reads[n:], b.Writes[n:]
		if _, err := r.store.Commit(context.Background(), part); err != nil && !errors.Is(err, kv.ErrConflict) {
			r.t.Errorf("a rival: %v", err)
		}
	}
}

// attemptsPart: each call runs on one of so many engines, under two streams and one
// of so many others.
var attemptsPart = effort.Flag("attempts.part", 3, 3, "one of how many calls is tried on each engine; 1 is all")

// openings is how many sessions are opened meanwhile: more than attempts are
// allowed.
const openings = mostAttempts + 6

// compete adds the streams of another process that works on the same account:
// each call may fail, and what matters is what it writes before.
func (r *streams) compete(s many, n int) {
	rival := s.alice.on(r.store)
	var first []ratchet.Message
	for range openings {
		first = append(first, s.bob.send(s.alice, "opening", pawl.WithOneTimeKey(s.alice.oneTimeKey())))
	}
	bob, ctx := s.bob.id.Curve25519, context.Background()
	all := []func(){
		func() { // another session each time
			if len(first) > 0 {
				_, _ = rival.Decrypt(ctx, bob, first[0])
				first = first[1:]
			}
		},
		func() { _, _ = rival.KeysForUpload(ctx, 2) },
		func() { _, _ = rival.Encrypt(ctx, bob, []byte("text")) },
		func() { _, _ = rival.Sweep(ctx, s.alice.clock.now()) },
	}
	r.each = all[:n]
}

// TestAttemptsUnderStreams counts how often the commits of each call are tried
// while others change what it reads, name other records, and write in those
// before the next attempt is over: two streams at once, three, and many.
func TestAttemptsUnderStreams(t *testing.T) {
	memory := func(*testing.T) (mine, theirs kv.Store) {
		store := newMemory(memkv.WithTimer(never))
		return store, store
	}
	for i, c := range manyCalls(t).all() {
		for j, n := range []int{1, 2, 4} { // and one that changes everything
			if j > 0 && (i+j)%attemptsPart() > 0 {
				continue
			}
			policy := []txn.CachePolicy{txn.NoCache, txn.Validated}[(i+n)%2]
			t.Run(fmt.Sprintf("%s/%d streams", c.name, n+1), func(t *testing.T) { countUnderStreams(t, i, n, policy, memory) })
		}
	}
}

// TestAttemptsUnderStreamsOfProcesses is the same on engines that processes
// share.
func TestAttemptsUnderStreamsOfProcesses(t *testing.T) {
	shared := map[string]func(*testing.T) (mine, theirs kv.Store){
		"sqlite": func(t *testing.T) (mine, theirs kv.Store) {
			path := filepath.Join(t.TempDir(), "store.db")
			open := func() kv.Store { return opened(t)(sqlitekv.Open(path, sqlitekv.WithTimer(never))) }
			return open(), open()
		},
	}
	if badgerRuns {
		open := func(t *testing.T, dir string) kv.Store {
			return opened(t)(badgerkv.Open(dir, badgerkv.WithTimer(never)))
		}
		shared["badger, alone"] = func(t *testing.T) (mine, theirs kv.Store) {
			store := open(t, t.TempDir())
			return store, store
		}
		shared["badger, as a guest"] = func(t *testing.T) (mine, theirs kv.Store) {
			dir := t.TempDir()
			owner := open(t, dir)
			return open(t, dir), owner
		}
	}
	for j, name := range slices.Sorted(maps.Keys(shared)) {
		engine := shared[name]
		for i, c := range manyCalls(t).all() {
			if (i+j)%attemptsPart() > 0 {
				continue
			}
			t.Run(strings.Join([]string{name, c.name}, "/"), func(t *testing.T) {
				countUnderStreams(t, i, 4, txn.Validated, engine)
			})
		}
	}
}

func opened(t *testing.T) func(kv.Store, error) kv.Store {
	return func(s kv.Store, err error) kv.Store {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
}

func countUnderStreams(t *testing.T, i, n int, policy txn.CachePolicy, engine func(*testing.T) (mine, theirs kv.Store)) {
	mine, theirs := engine(t)
	s := manyCallsIn(t, mine)
	r := &streams{t: t, store: theirs}
	r.compete(s, n)
	most := 0
	alice := s.alice.on(r.wrap(mine), pawl.WithCache(policy), pawl.WithObserver(func(report txn.Report) {
		r.late.Wait() // those that a turn has held back came before the next call
		r.mu.Lock()
		defer r.mu.Unlock()
		most = max(most, report.Conflicts+1-r.expired)
		r.turn, r.expired = false, 0
	}))
	alice.inspect() // what the cache knows
	most, r.on = 0, true
	_, err := s.all()[i].make(t.Context(), alice)
	r.mu.Lock()
	r.on = false
	r.mu.Unlock()
	r.late.Wait()
	if err != nil {
		t.Error(err)
	}
	if most > mostAttempts {
		t.Errorf("a commit took %d attempts, want at most %d", most, mostAttempts)
	}
	s.alice.intact()
}
