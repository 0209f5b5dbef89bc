package demo

import (
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"time"
)

// fate is what happens to a process in a round.
type fate uint8

const (
	lives   fate = iota
	restart      // it exits and is started, before the round's letters
	kill         // it is killed at any moment
	stop         // it is stopped at any moment, longer than a lease lasts, and resumed
)

const (
	// Of a hundred rounds.
	kills    = 10
	restarts = 8
	both     = 35 // letters for both processes at once
	// A round in so many stops a process: they take real time.
	stopEvery = 100
	// stopFor is longer than a lease, and long enough for the other process to
	// ask for it once more after it has run out.
	stopFor = time.Second
	// strike is the longest time from the beginning of a round to its kill or
	// stop: a step takes about as long.
	strike = 3 * time.Millisecond
)

// round is what happens at the same time.
type round struct {
	number  int
	letters [2]*letter // of Bob's app and his NSE; nil: idle
	fate    fate
	victim  int
	after   time.Duration // from the beginning to a kill or stop
}

// letter is one message between Alice and one of Bob's processes.
type letter struct {
	toBob   bool // Alice writes and that process reads; else the other way round
	payload []byte
}

// schedule draws the rounds. In the first Alice writes to one of the processes:
// she has Bob's keys.
func schedule(seed uint64, n int) []round {
	random := rand.New(rand.NewPCG(seed, 0))
	rounds := make([]round, n)
	for i := range rounds {
		rounds[i] = draw(random, i)
	}
	rounds[0].fate = lives
	first := rounds[0].victim
	rounds[0].letters[first].toBob = true
	rounds[0].letters[1-first] = nil
	return rounds
}

func draw(random *rand.Rand, i int) round {
	r := round{number: i + 1, victim: random.IntN(2), after: time.Duration(random.Int64N(int64(strike)))}
	r.letters[r.victim] = drawLetter(random)
	other, what := drawLetter(random), random.IntN(100)
	switch {
	case i%stopEvery == stopEvery/2 && canStop:
		r.fate = stop
		r.letters[1-r.victim] = other
	case what < kills:
		r.fate = kill
	case what < kills+restarts:
		r.fate = restart
	}
	if random.IntN(100) < both {
		r.letters[1-r.victim] = other
	}
	return r
}

func drawLetter(random *rand.Rand) *letter {
	return &letter{toBob: random.IntN(2) == 0, payload: roomKey(random)}
}

// messages counts the letters.
func messages(rounds []round) int {
	n := 0
	for _, r := range rounds {
		for _, l := range r.letters {
			if l != nil {
				n++
			}
		}
	}
	return n
}

// probes go once each way between Alice and each process, one after the other.
func probes(seed uint64) []round {
	random := rand.New(rand.NewPCG(seed, 1))
	var rounds []round
	for i := range 4 {
		r := round{victim: i / 2}
		r.letters[i/2] = &letter{toBob: i%2 == 0, payload: roomKey(random)}
		rounds = append(rounds, r)
	}
	return rounds
}

// roomKey is what Olm messages carry: each letter another.
func roomKey(random *rand.Rand) []byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(random.Uint32())
	}
	payload, _ := json.Marshal(map[string]any{ // strings always marshal
		"type": "m.room_key",
		"content": map[string]string{
			"algorithm":   "m.megolm.v1.aes-sha2",
			"room_id":     "!story:example.org",
			"session_key": base64.RawStdEncoding.EncodeToString(key),
		},
	})
	return payload
}
