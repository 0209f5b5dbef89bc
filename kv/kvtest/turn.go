package kvtest

import (
	"math/rand/v2"
	"time"

	"github.com/pawlkv/pawl/kv"
)

var turnChecks = []check{
	{"turn/several-keys", turnSeveralKeys},
	{"turn/unknown-id", turnUnknown},
}

// attempts is how often a check that needs to be done within a TurnLife is
// tried at least. A machine may be slow for a while: it is tried as long as a call
// may take, too.
const attempts = 20

// inTime runs a test until it says that it was quick enough to tell anything.
func (e *env) inTime(what string, test func() bool) {
	e.Helper()
	tried := 0
	for began := time.Now(); tried < attempts || time.Since(began) < e.patience; tried++ {
		if test() {
			return
		}
	}
	e.Fatalf("%s: not within the life of a turn in %d attempts", what, tried)
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

// turnUnknown: a turn that nobody has granted counts for nothing.
func turnUnknown(e *env) {
	s := e.store()
	b := batch(0, put("k", "1"))
	b.Turn = 1 << 40
	e.wantValue(s, "k", "1", e.commit(s, b))
}
