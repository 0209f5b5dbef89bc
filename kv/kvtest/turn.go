package kvtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/pawlkv/pawl/kv"
)

var turnChecks = []check{
	{"turn/order", turnOrder},
	{"turn/one-at-a-time", turnExclusive},
	{"turn/commit-waits", turnCommitWaits},
	{"turn/commit-outlasts-it", turnCommitOutlasts},
	{"turn/other-keys-pass", turnOtherKeys},
	{"turn/canceled-waiter-leaves", turnCanceledLeaves},
	{"turn/canceled-commit", turnCanceledCommit},
	{"turn/several-keys", turnSeveralKeys},
	{"turn/released-twice", turnReleasedTwice},
	{"turn/invalid", turnInvalid},
}

// attempts is how often a check that needs to be done within a TurnLife is
// tried on a machine that is slow.
const attempts = 10

// inTime runs a test until it says that it was quick enough to tell anything.
func (e *env) inTime(what string, test func() bool) {
	e.Helper()
	for range attempts {
		if test() {
			return
		}
	}
	e.Fatalf("%s: not within the life of a turn in %d attempts", what, attempts)
}

func (e *env) turn(s kv.Store, keys ...string) kv.Turn {
	e.Helper()
	turn, err := s.Turn(e.ctx, keys...)
	if err != nil {
		e.Fatalf("turn on %q: %v", keys, err)
	}
	if turn.ID == 0 {
		e.Fatalf("turn on %q has no ID", keys)
	}
	return turn
}

// queue asks for turns one after the other.
func (e *env) queue(s kv.Store, n int, granted chan<- int, key string) {
	for i := range n {
		start(e, "turn", func() (kv.Turn, error) {
			turn, err := s.Turn(e.ctx, key)
			if err != nil {
				return turn, err
			}
			granted <- i
			turn.Release()
			return turn, nil
		}).park()
	}
}

// turnOrder: turns are granted in the order asked for.
func turnOrder(e *env) {
	s := e.store()
	first := e.turn(s, "k")
	granted := make(chan int)
	e.queue(s, 5, granted, "k")
	first.Release()
	patience := time.After(e.patience)
	for want := range 5 {
		select {
		case got := <-granted:
			if got != want {
				e.Fatalf("turn %d was granted, want %d: they were asked for in order", got, want)
			}
		case <-patience:
			e.Fatalf("turn %d is not granted", want)
		}
	}
}

// turnExclusive: a turn that nobody releases ends by itself, not before its
// time, and until then no other is granted.
func turnExclusive(e *env) {
	s := e.store()
	before := time.Now()
	first := e.turn(s, "k", "l")
	second := e.turn(s, "l", "m")
	if took := time.Since(before); took < s.Limits().TurnLife {
		e.Errorf("a second turn was granted after %v, while the first lasts %v", took, s.Limits().TurnLife)
	}
	if first.ID == second.ID {
		e.Errorf("two turns with ID %d", first.ID)
	}
	e.write(s, put("k", "the first is over"))
	second.Release()
	first.Release()
}

// turnCommitWaits: while somebody has the turn, a commit to the key waits, the
// holder's passes, and the other goes on after the release.
func turnCommitWaits(e *env) {
	s := e.store()
	e.inTime("a commit under a turn", func() bool {
		began := e.head(s)
		before := time.Now()
		turn := e.turn(s, "k")
		other := start(e, "commit", func() (kv.Version, error) {
			return s.Commit(e.ctx, batch(began, put("elsewhere", "other"), put("k", "other")))
		})
		other.park()
		for i := range 3 {
			e.write(s, put("busy", fmt.Sprint(i)))
		}
		b := batch(began, put("k", "holder"), put("l", "holder"))
		b.Turn = turn.ID
		mine := e.commit(s, b)
		inTime := time.Since(before) < s.Limits().TurnLife
		waits := !other.finished()
		turn.Release()
		released := time.Now()
		theirs, err := other.wait()
		if err != nil {
			e.Fatalf("a commit that waited: %v", err)
		}
		if !inTime {
			return false
		}
		if !waits || theirs <= mine {
			e.Fatalf("a commit without the turn: version %d, the holder's: %d, want it to wait", theirs, mine)
		}
		e.wantValue(s, "k", "other", theirs)
		return other.ended.Sub(released) < s.Limits().TurnLife && time.Since(before) < 2*s.Limits().TurnLife
	})
}

// turnCommitOutlasts: a commit waits no longer than a turn lasts.
func turnCommitOutlasts(e *env) {
	s := e.store()
	before := time.Now()
	turn := e.turn(s, "k")
	version := e.write(s, put("k", "other"))
	if took := time.Since(before); took < s.Limits().TurnLife {
		e.Errorf("a commit without the turn took %v, while the turn lasts %v", took, s.Limits().TurnLife)
	}
	b := batch(version, put("k", "late holder"))
	b.Turn = turn.ID
	e.wantValue(s, "k", "late holder", e.commit(s, b))
}

// turnOtherKeys: a turn holds up nothing but writes of its keys.
func turnOtherKeys(e *env) {
	s := e.store()
	v := e.write(s, put("k", "1"))
	e.inTime("work on other keys", func() bool {
		before := time.Now()
		turn := e.turn(s, "k")
		defer turn.Release()
		e.turn(s, "kk").Release()
		e.turn(s).Release()
		e.get(s, "k")
		b := batch(v, put("kk", "1"))
		b.Reads = []kv.Read{{Key: "k", Version: v}}
		e.commit(s, b)
		b.Writes = nil
		e.commit(s, b)
		return time.Since(before) < s.Limits().TurnLife
	})
}

// turnCanceledLeaves: who gives up waiting holds up nobody.
func turnCanceledLeaves(e *env) {
	s := e.store()
	e.inTime("a turn behind one that was given up", func() bool {
		first := e.turn(s, "k")
		ctx, cancel := context.WithCancel(e.ctx)
		defer cancel()
		second := start(e, "turn", func() (kv.Turn, error) { return s.Turn(ctx, "k") })
		second.park()
		third := start(e, "turn", func() (kv.Turn, error) { return s.Turn(e.ctx, "k") })
		third.park()
		cancel()
		given, err := second.wait()
		if err == nil { // the first had expired meanwhile
			given.Release()
		} else {
			e.wantError("a turn whose context is cancelled", err, context.Canceled)
		}
		released := time.Now()
		first.Release()
		turn, err2 := third.wait()
		if err2 != nil {
			e.Fatal(err2)
		}
		turn.Release()
		return err != nil && third.ended.Sub(released) < s.Limits().TurnLife
	})
}

// turnCanceledCommit: a commit that is cancelled while it waits applied
// nothing.
func turnCanceledCommit(e *env) {
	s := e.store()
	e.inTime("a cancelled commit", func() bool {
		before := time.Now()
		turn := e.turn(s, "k")
		defer turn.Release()
		ctx, cancel := context.WithCancel(e.ctx)
		defer cancel()
		other := start(e, "commit", func() (kv.Version, error) { return s.Commit(ctx, batch(0, put("k", "x"))) })
		other.park()
		cancel()
		version, err := other.wait()
		if time.Since(before) >= s.Limits().TurnLife {
			return false
		}
		e.wantError("a commit cancelled while it waits", err, context.Canceled)
		if isUnknown(err) || version != 0 {
			e.Errorf("a commit cancelled while it waits: version %d, %v: it was certainly not applied", version, err)
		}
		turn.Release()
		e.wantAbsent(s, "k")
		return true
	})
}

// Clients of turnSeveralKeys, and how many turns each takes.
const (
	turnClients = 6
	turnRounds  = 20
)

// turnSeveralKeys: turns on several keys, named in any order, never wait for
// each other in a circle.
func turnSeveralKeys(e *env) {
	s := e.store()
	keys := []string{"a", "b", "c", "d"}
	began := time.Now()
	var clients []*call[int]
	for client := range uint64(turnClients) {
		rng := rand.New(rand.NewPCG(3, client))
		clients = append(clients, start(e, "turns", func() (int, error) {
			for range turnRounds {
				mine := []string{keys[rng.IntN(4)], keys[rng.IntN(4)], keys[rng.IntN(4)]}
				turn, err := s.Turn(e.ctx, mine...)
				if err != nil {
					return 0, err
				}
				turn.Release()
			}
			return 0, nil
		}))
	}
	for _, client := range clients {
		if _, err := client.wait(); err != nil {
			e.Fatal(err)
		}
	}
	// Turns that block each other end by expiry, so that nothing is stuck: time
	// tells.
	if took, limit := time.Since(began), turnClients*turnRounds*s.Limits().TurnLife/4; took > limit {
		e.Errorf("%d turns that were released at once took %v, want at most %v", turnClients*turnRounds, took, limit)
	}
}

// turnReleasedTwice: a second release ends nobody else's turn.
func turnReleasedTwice(e *env) {
	s := e.store()
	e.turn(s, "k").Release()
	first := e.turn(s, "k")
	first.Release()
	before := time.Now()
	second := e.turn(s, "k")
	first.Release()
	e.turn(s, "k").Release()
	if took := time.Since(before); took < s.Limits().TurnLife {
		e.Errorf("a third turn was granted after %v: the second lasts %v", took, s.Limits().TurnLife)
	}
	second.Release()
}

// turnInvalid: a turn is refused like anything else.
func turnInvalid(e *env) {
	s := e.store()
	ended, cancel := context.WithCancel(e.ctx)
	cancel()
	_, err := s.Turn(ended, "k")
	e.wantError("turn with an ended context", err, context.Canceled)
	_, err = s.Turn(e.ctx, "k", "")
	e.wantError("turn on an empty key", err, kv.ErrInvalid)
	e.inTime("a turn after refused ones", func() bool {
		before := time.Now()
		e.turn(s, "k").Release()
		return time.Since(before) < s.Limits().TurnLife
	})
	b := batch(0, put("k", "1"))
	b.Turn = 1 << 40
	e.wantValue(s, "k", "1", e.commit(s, b))
}
