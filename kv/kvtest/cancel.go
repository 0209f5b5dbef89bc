package kvtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/pawlkv/pawl/kv"
)

var cancelChecks = []check{
	{"cancel/before", cancelBefore},
	{"cancel/deadline", cancelDeadline},
	{"cancel/during-scan", cancelDuringScan},
	{"cancel/during-commit", cancelDuringCommit},
}

func isUnknown(err error) bool { return errors.Is(err, kv.ErrUnknown) }

// callErrors makes every call that takes a context, each of which should fail.
func (e *env) callErrors(ctx context.Context, s kv.Store) map[string]error {
	e.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	_, get := snap.Get(ctx, "k")
	_, version := snap.Version(ctx)
	_, commit := s.Commit(ctx, batch(0, put("canceled", "1")))
	_, validate := s.Commit(ctx, &kv.Batch{})
	_, turn := s.Turn(ctx, "k")
	return map[string]error{
		"get": get, "version": version, "commit": commit, "commit without writes": validate, "turn": turn,
		"scan":  lastError(snap.Scan(ctx, "")),
		"watch": lastError(s.Watch(ctx, "", 0)),
	}
}

// cancelBefore: a call whose context has ended does nothing, and says so.
func cancelBefore(e *env) {
	s := e.store()
	e.write(s, put("k", "1"))
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	for what, err := range e.callErrors(ctx, s) {
		e.wantError("a "+what+" with an ended context", err, context.Canceled)
		if isUnknown(err) {
			e.Errorf("a %s with an ended context: %v: the outcome is known", what, err)
		}
	}
	e.wantAbsent(s, "canceled")
	e.turn(s, "k").Release()
	e.write(s, put("k", "2"))
}

// cancelDeadline: a deadline gives its own error.
func cancelDeadline(e *env) {
	s := e.store()
	e.write(s, put("k", "1"))
	ctx, cancel := context.WithDeadline(e.ctx, time.Now().Add(-time.Second))
	defer cancel()
	for what, err := range e.callErrors(ctx, s) {
		e.wantError("a "+what+" after its deadline", err, context.DeadlineExceeded)
	}
	e.wantAbsent(s, "canceled")
}

// cancelDuringScan: a scan whose context ends between two entries yields
// nothing but the error after it, and the view goes on with another context.
func cancelDuringScan(e *env) {
	s := e.store()
	var writes []kv.Write
	for i := range 2000 {
		writes = append(writes, put(fmt.Sprintf("p/%d", i), ""))
	}
	e.fill(s, writes...)
	snap := s.Snapshot()
	defer snap.Close()
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	seen, last := 0, error(nil)
	for _, err := range snap.Scan(ctx, "p/") {
		if last != nil {
			e.Fatal("a scan goes on after an error")
		}
		if seen++; seen == 5 {
			cancel()
		}
		last = err
	}
	e.wantError(fmt.Sprintf("a scan cancelled at its 5th entry, after %d of %d", seen, len(writes)), last, context.Canceled)
	if n := len(e.scan(snap, "p/")); n != len(writes) {
		e.Errorf("the next scan yields %d entries, want %d", n, len(writes))
	}
}

// cancelRounds is how many commits are cancelled at some moment.
const cancelRounds = 100

// cancelDuringCommit: whenever the context ends, the outcome that is returned is
// the one that happened.
func cancelDuringCommit(e *env) {
	s := e.store()
	rng := rand.New(rand.NewPCG(5, 0))
	for i := range cancelRounds {
		ctx, cancel := context.WithCancel(e.ctx)
		b := batch(e.head(s), put(fmt.Sprintf("k/%d", i), "1"))
		b.Reads = []kv.Read{{Key: b.Writes[0].Key}}
		c := start(e, "commit", func() (kv.Version, error) { return s.Commit(ctx, b) })
		for range rng.IntN(200) * (i % 2) { // every other one before it begins
			runtime.Gosched()
		}
		cancel()
		version, err := c.wait()
		e.checkCanceled(s, b, version, err)
	}
}

func (e *env) checkCanceled(s kv.Store, b *kv.Batch, version kv.Version, err error) {
	e.Helper()
	key := b.Writes[0].Key
	switch {
	case err == nil:
		e.wantValue(s, key, "1", version)
	case isUnknown(err):
		e.wantError("a cancelled commit whose outcome is unknown", err, context.Canceled)
		b.Again = true
		e.wantValue(s, key, "1", e.commit(s, b))
	default:
		e.wantError("a cancelled commit", err, context.Canceled)
		e.write(s, put("another", "commit")) // behind which a late one would have come
		e.wantAbsent(s, key)
	}
}
