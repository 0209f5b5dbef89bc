package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
)

// TestMembersFail: members are killed, and suspended beyond every deadline, one after the
// other, whoever leads, while several commit. What was acknowledged is there, what was
// refused is not, and what is unknown is resolved by the identical batch.
func TestMembersFail(t *testing.T) {
	Each(t, func(t *testing.T, server Server) {
		c := Start(t, server, 3)
		ctx, stop := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		logs := make([]ledger, 4)
		for i := range logs {
			logs[i] = ledger{name: fmt.Sprint(i), store: storeOf(t, open(t, c, etcdkv.WithCommitIDs(fewIDs)), "shared")}
			writers.Go(func() { logs[i].write(ctx) })
		}
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
		stop()
		writers.Wait()
		for i := range logs {
			logs[i].check(t)
		}
	})
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
	failed  error
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// write makes commits, each asked for again until it is known.
func (l *ledger) write(ctx context.Context) {
	var version kv.Version
	for n := 0; ctx.Err() == nil; n++ {
		key := fmt.Sprintf("%s/%06d", l.name, n)
		b := &kv.Batch{
			ID: kv.NewCommitID(version), Reads: []kv.Read{{Key: key}}, Sync: true,
			Writes: []kv.Write{{Key: key, Value: []byte(key)}, {Key: "hot", Value: []byte(key)}},
		}
		applied, err := l.store.Commit(context.WithoutCancel(ctx), b)
		for kv.OutcomeOf(err).MayAsk() && (b.Again || kv.OutcomeOf(err) == kv.Unknown) {
			b.Again = true
			applied, err = l.store.Commit(context.WithoutCancel(ctx), b)
		}
		version = max(version, applied)
		l.note(key, b, err)
	}
}

func (l *ledger) note(key string, b *kv.Batch, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
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
	t.Logf("writer %s: %d acknowledged, %d refused, %d never known", l.name, len(l.acked), len(l.refused), len(l.unknown))
}
