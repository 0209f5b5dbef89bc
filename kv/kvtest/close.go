package kvtest

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/pawlkv/pawl/kv"
)

var closeChecks = []check{
	{"close/every-call", closeAfter},
	{"close/racing-commits", closeRacing},
}

func (e *env) closeNow(s kv.Store) {
	e.Helper()
	if err := s.Close(); err != nil {
		e.Errorf("close: %v", err)
	}
}

// closeAfter: after Close every call says so, and commits nothing.
func closeAfter(e *env) {
	s := e.store()
	e.write(s, put("k", "1"))
	open, unused := s.Snapshot(), s.Snapshot()
	e.read(open, "k")
	turn := e.turn(s, "k")
	e.closeNow(s)
	e.closeNow(s)
	for what, err := range e.callErrors(e.ctx, s) {
		e.wantError("a "+what+" after close", err, kv.ErrClosed)
	}
	for name, snap := range map[string]kv.Snapshot{"open": open, "unused": unused, "new": s.Snapshot()} {
		for what, err := range e.readErrors(snap) {
			e.wantError(fmt.Sprintf("%s of the %s view after close", what, name), err, kv.ErrClosed)
		}
		snap.Close()
	}
	turn.Release()
}

// closeRacing: a commit that races with Close is acknowledged or refused,
// nothing else.
func closeRacing(e *env) {
	for range 5 {
		s := e.store()
		e.raceClose(s)
	}
}

// outcomes are the keys of commits that raced with Close.
type outcomes struct{ acknowledged, refused []string }

// raceClose closes the store while clients commit.
func (e *env) raceClose(s kv.Store) outcomes {
	e.Helper()
	var going atomic.Int64
	var clients []*call[outcomes]
	for id := range racers {
		clients = append(clients, start(e, "commits until close", func() (outcomes, error) {
			return e.commitUntilClosed(s, id, &going)
		}))
	}
	for going.Load() < 2*racers && e.ctx.Err() == nil {
		e.head(s) // some work, until all are under way
	}
	e.closeNow(s)
	_, err := s.Commit(e.ctx, batch(0, put("after", "1")))
	e.wantError("a commit after close", err, kv.ErrClosed)

	all := outcomes{refused: []string{"after"}}
	for _, c := range clients {
		some, err := c.wait()
		if err != nil {
			e.Fatalf("a commit racing with close: %v, want success or %v", err, kv.ErrClosed)
		}
		all.acknowledged = append(all.acknowledged, some.acknowledged...)
		all.refused = append(all.refused, some.refused...)
	}
	return all
}

func (e *env) commitUntilClosed(s kv.Store, id int, going *atomic.Int64) (o outcomes, err error) {
	began := kv.Version(0)
	for i := 0; ; i++ {
		key := fmt.Sprintf("%d/%d", id, i)
		began, err = s.Commit(e.ctx, batch(began, put(key, "1")))
		if err == nil {
			o.acknowledged = append(o.acknowledged, key)
			going.Add(1)
			continue
		}
		o.refused = append(o.refused, key)
		if errors.Is(err, kv.ErrClosed) {
			return o, nil
		}
		if !errors.Is(err, kv.ErrExpired) { // the others were very quick
			return o, err
		}
		began = e.latest(s)
	}
}
