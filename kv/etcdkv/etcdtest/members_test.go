package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestMembersFail: members are killed, and suspended beyond every deadline, one after the
// other, whoever leads, while several commit. What was acknowledged is there, what was
// refused is not, and what is unknown is resolved by the identical batch.
func TestMembersFail(t *testing.T) {
	EachInFull(t, func(t *testing.T, server Server) {
		c := Start(t, server, 3)
		ctx, stop := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		logs := make([]ledger, 4)
		for i := range logs {
			logs[i] = ledger{name: fmt.Sprint(i), store: storeOf(t, open(t, c), "shared")}
			writers.Go(func() { logs[i].write(ctx) })
		}
		heard := &listener{known: make(map[string]bool)}
		writers.Go(func() { heard.listen(ctx, logs[0].store) })
		for _, m := range c.Members {
			during(t, logs)
			m.Kill()
			during(t, logs)
			m.Run(t)
			c.Await(t)
			m.Stop()
			during(t, logs)
			m.Continue()
			c.Await(t)
		}
		during(t, logs)
		for i := range logs { // a watch goes on through all of it
			last := logs[i].last()
			await(t, func(context.Context) bool { return heard.knows(last) })
		}
		stop()
		writers.Wait()
		if !errors.Is(heard.ended, context.Canceled) {
			t.Errorf("the watch has ended: %v", heard.ended)
		}
		for i := range logs {
			logs[i].check(t)
		}
	})
}

// listener is what a watch has told of.
type listener struct {
	mu    sync.Mutex
	known map[string]bool
	ended error
}

func (l *listener) listen(ctx context.Context, s kv.Store) {
	for change, err := range s.Watch(ctx, "", 0) {
		if err != nil {
			l.ended = err
			return
		}
		l.mu.Lock()
		l.known[change.Key] = true
		l.mu.Unlock()
	}
}

func (l *listener) knows(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[key]
}

// during waits until each writer has had something acknowledged since.
func during(t *testing.T, logs []ledger) {
	t.Helper()
	for i := range logs {
		before := logs[i].count()
		await(t, func(context.Context) bool { return logs[i].count() > before })
	}
}

// ledger is what one writer did and was told.
type ledger struct {
	name  string
	store kv.Store

	mu      sync.Mutex
	acked   []string
	refused []string
	unknown []string // and never resolved
	asked   int      // how many were asked for again
	failed  error
}

// last is the newest key that was acknowledged.
func (l *ledger) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked[len(l.acked)-1]
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// write makes commits, each from a view of its own and asked for again until it is known.
func (l *ledger) write(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		key := fmt.Sprintf("%s/%06d", l.name, n)
		view := l.store.Snapshot()
		version, err := view.Version(ctx)
		view.Close()
		if errors.Is(err, kv.ErrUnavailable) || ctx.Err() != nil {
			continue
		}
		if err != nil {
			l.note(key, &kv.Batch{}, err)
			return
		}
		b := &kv.Batch{
			ID: kv.NewCommitID(version), Reads: []kv.Read{{Key: key}}, Sync: true,
			Writes: []kv.Write{{Key: key, Value: []byte(key)}, {Key: "hot", Value: []byte(key)}},
		}
		_, err = l.store.Commit(context.WithoutCancel(ctx), b)
		for kv.OutcomeOf(err).MayAsk() && (b.Again || kv.OutcomeOf(err) == kv.Unknown) {
			b.Again = true
			_, err = l.store.Commit(context.WithoutCancel(ctx), b)
		}
		l.note(key, b, err)
	}
}

func (l *ledger) note(key string, b *kv.Batch, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.Again {
		l.asked++
	}
	switch outcome := kv.OutcomeOf(err); {
	case err == nil:
		l.acked = append(l.acked, key)
	case b.Again && !outcome.Resolves():
		l.unknown = append(l.unknown, key)
	case outcome == kv.Unsent, outcome == kv.Expired && !b.Again:
		l.refused = append(l.refused, key)
	default:
		l.failed = errors.Join(l.failed, fmt.Errorf("%s: %w", key, err))
	}
}

// check compares the ledger with the store.
func (l *ledger) check(t *testing.T) {
	t.Helper()
	if l.failed != nil {
		t.Errorf("writer %s: %v", l.name, l.failed)
	}
	there := make(map[string]bool)
	snap := l.store.Snapshot()
	defer snap.Close()
	for entry, err := range snap.Scan(t.Context(), l.name+"/") {
		if err != nil {
			t.Fatal(err)
		}
		there[entry.Key] = true
	}
	for _, key := range l.acked {
		if !there[key] {
			t.Errorf("%s was acknowledged and is not there", key)
		}
	}
	for _, key := range l.refused {
		if there[key] {
			t.Errorf("%s was refused and is there", key)
		}
	}
	if len(l.unknown) > 0 {
		t.Errorf("writer %s: nobody knows of %q", l.name, l.unknown)
	}
	t.Logf("writer %s: %d acknowledged, %d refused; %d were asked for again", l.name, len(l.acked), len(l.refused), l.asked)
}
