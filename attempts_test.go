package pawl_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// mostAttempts is how often a commit of a call may be tried: see txn.DB.
const mostAttempts = 6

// rivals always come first: before each commit of the one who goes through the
// store, they write what it has read. Where a turn holds them back they write
// when they are let.
type rivals struct {
	t     *testing.T
	store kv.Store
	pick  func(attempt int, read []string) []string // what they write
	mu    sync.Mutex
	on    bool
	tries int
	held  []string // the keys of the turn
	late  sync.WaitGroup
}

func (r *rivals) wrap() kv.Store {
	return faulty.Wrap(r.store, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case !r.on:
		case call.Op == faulty.Turn:
			r.held = slices.Clone(call.Keys)
		case call.Op == faulty.Commit:
			r.tries++
			r.come(call.Batch)
		}
		return nil
	}})
}

func (r *rivals) come(b *kv.Batch) {
	var read []string
	for _, one := range b.Reads {
		if one.Version > 0 {
			read = append(read, one.Key)
		}
	}
	if len(read) == 0 {
		return
	}
	for _, key := range r.pick(r.tries, read) {
		if b.Turn != 0 && (len(r.held) == 0 || slices.Contains(r.held, key)) {
			r.late.Go(func() { r.write(key) })
		} else {
			r.write(key)
		}
	}
}

// write stores again what is there, as another process would that has changed
// it.
func (r *rivals) write(key string) {
	snap := r.store.Snapshot()
	defer snap.Close()
	found, err := snap.Get(context.Background(), key)
	if err != nil || !found[0].Exists() {
		return // deleted by now: nothing to lose
	}
	version, err := snap.Version(context.Background())
	if err != nil {
		r.t.Error(err)
		return
	}
	b := &kv.Batch{ID: kv.NewCommitID(version), Reads: []kv.Read{{Key: key, Version: found[0].Version}},
		Writes: []kv.Write{{Key: key, Value: found[0].Value}}}
	if _, err := r.store.Commit(context.Background(), b); err != nil && !errors.Is(err, kv.ErrConflict) {
		r.t.Errorf("a rival: %v", err)
	}
}

// TestAttemptsOfEveryCall counts how often the commits of each call are tried
// while others write what it reads: another key each time, or all at once.
func TestAttemptsOfEveryCall(t *testing.T) {
	picks := map[string]func(int, []string) []string{
		"another key each time": func(n int, read []string) []string { return read[n%len(read) : n%len(read)+1] },
		"all keys":              func(_ int, read []string) []string { return read },
	}
	for name, policy := range policies {
		for kind, pick := range picks {
			for i, c := range manyCalls(t).all() {
				t.Run(fmt.Sprintf("%s/%s/%s", name, kind, c.name), func(t *testing.T) {
					countAttempts(t, i, policy, pick)
				})
			}
		}
	}
}

func countAttempts(t *testing.T, i int, policy txn.CachePolicy, pick func(int, []string) []string) {
	s := manyCalls(t)
	r := &rivals{t: t, store: s.alice.kv, pick: pick}
	most, commits := 0, 0
	alice := s.alice.on(r.wrap(), pawl.WithCache(policy), pawl.WithObserver(func(report txn.Report) {
		most = max(most, report.Attempts)
		commits++
		r.late.Wait() // those that a turn has held back came before the next call
	}))
	alice.inspect() // what the cache knows
	most, r.on = 0, true
	if _, err := s.all()[i].make(t.Context(), alice); err != nil {
		t.Error(err)
	}
	r.late.Wait()
	if most > mostAttempts {
		t.Errorf("a commit took %d attempts, want at most %d", most, mostAttempts)
	}
	if commits == 0 {
		t.Error("the call made no transaction")
	}
	s.alice.intact()
}

// never lets no turn expire: on a slow machine rivals would come first again and
// again, which is not what is counted.
func never(time.Duration, func()) (stop func() bool) { return func() bool { return true } }

// many is what is prepared with many messages beside.
type many struct {
	*prepared
	batch    []pawl.Incoming
	receipts []session.ReceiptID
}

func manyCalls(t *testing.T) many {
	t.Helper()
	return manyCallsIn(t, newMemory(memkv.WithTimer(never)))
}

func manyCallsIn(t *testing.T, store kv.Store) many {
	t.Helper()
	s := many{prepared: prepareIn(t, store)}
	carol := newDevice(t, newMemory(), "@carol:example.org")
	carol.meet(s.alice)
	for i := range 12 {
		s.receipts = append(s.receipts, s.alice.receive(s.bob, s.bob.send(s.alice, "before")).Receipt)
		for _, from := range []*device{s.bob, carol} {
			s.batch = append(s.batch, pawl.Incoming{Sender: from.id.Curve25519, Message: from.send(s.alice, fmt.Sprint(i))})
		}
	}
	return s
}

func (s many) all() []call {
	noResult := func(err error) ([]byte, error) { return nil, err }
	return append(s.calls(), []call{
		{"DecryptBatch of many", func(ctx context.Context, d *device) ([]byte, error) {
			results, err := d.DecryptBatch(ctx, s.batch)
			for _, r := range results {
				err = errors.Join(err, r.Err)
			}
			return nil, err
		}},
		{"Decrypt what does not decrypt", func(ctx context.Context, d *device) ([]byte, error) {
			_, err := d.Decrypt(ctx, s.bob.id.Curve25519, edit(s.normal, -1, flip))
			if u := (*pawl.UndecryptableError)(nil); !errors.As(err, &u) {
				return nil, fmt.Errorf("got %w", err)
			}
			return nil, nil
		}},
		{"Acknowledge many", func(ctx context.Context, d *device) ([]byte, error) {
			return noResult(d.Acknowledge(ctx, s.receipts...))
		}},
		{"Sweep after a year", func(ctx context.Context, d *device) ([]byte, error) {
			_, err := d.Sweep(ctx, d.clock.now().Add(session.ReceiptMemory+time.Hour))
			return nil, err
		}},
		{"KeysForUpload of many", func(ctx context.Context, d *device) ([]byte, error) {
			_, err := d.KeysForUpload(ctx, 200)
			return nil, err
		}},
		{"Outstanding", func(ctx context.Context, d *device) ([]byte, error) { _, err := d.Outstanding(ctx); return nil, err }},
		{"NeedsRecovery", func(ctx context.Context, d *device) ([]byte, error) {
			_, _, err := d.NeedsRecovery(ctx)
			return nil, err
		}},
		{"Recover", func(ctx context.Context, d *device) ([]byte, error) { _, err := d.Recover(ctx); return nil, err }},
	}...)
}
