package clients

import (
	"flag"
	"testing"
)

var (
	all    = flag.Bool("clients.all", false, "play each scenario with every engine and peer, and with mautrix-go's device as the control")
	rounds = flag.Int("clients.rounds", 30, "random rounds of kill, stop, fault and message")
	starts = flag.Int("clients.restarts", 20, "rounds of random restarts")
)

// scenario is something that went wrong in clients' lives.
type scenario struct {
	name string
	play func(*testing.T, cast)
	// control tells that mautrix-go's device, in one process, passes as well. It offers
	// one-time keys again after it was killed or an upload failed, loses messages when
	// it is killed while they come in, has no fallback keys, does not begin while a query
	// fails, and changes keys for every new device and name.
	control bool
}

var scenarios = []scenario{
	{"uploads whose answers are late", lateUploads, true},
	{"killed before the upload's answer", killedUpload, false},
	{"a fallback key of which nobody heard", unheardFallback, false},
	{"failed uploads and claims", failedRequests, false},
	{"device queries that fail", failedQueries, true},
	{"to-device messages and restarts", restartsWhileReceiving, false},
	{"to-device messages and failed queries", queriesWhileReceiving, false},
	{"four users in order", inOrder, true},
	{"a fallback key for two peers", fallbackForTwo, false},
	{"new key: device logs out", cycledByLogout, true},
	{"new key: member leaves", cycledByLeaving, true},
	{"new key: invited member leaves", cycledByUninviting, true},
	{"new key: count", cycledByCount, true},
	{"new key: age", cycledByAge, false},
	{"new key: visibility", cycledByVisibility, false},
	{"same key: restart", keptByRestart, true},
	{"same key: new device", keptByNewDevice, false},
	{"same key: display names", keptByNames, false},
	{"another's messages", spoofed, true},
	{"at one step", atOneStep, false},
	{"killed in a sync", killedInSync, false},
	{"killed while sending", killedInSend, false},
	{"random restarts", randomRestarts, false},
	{"random rounds", randomRounds, false},
}

// The engines of the device under test, and its peers, take part in turn.
var (
	engines = []string{"pawl-badger", "pawl-sqlite"}
	peers   = []string{"mautrix", "node"}
)

// TestScenarios plays each scenario with Pawl: with one engine and one peer in turn,
// or with all.
func TestScenarios(t *testing.T) {
	for i, s := range scenarios {
		for j, engine := range engines {
			for k, peer := range peers {
				if *all || i%2 == j && (i/2)%2 == k {
					play(t, s, cast{engine, peer})
				}
			}
		}
	}
}

// TestScenariosOfTheControl plays the scenarios with mautrix-go in the place of Pawl,
// where it passes.
func TestScenariosOfTheControl(t *testing.T) {
	for i, c := range scenarios {
		if c.control {
			play(t, c, cast{"mautrix", peers[i%2]})
		}
	}
}

func play(t *testing.T, s scenario, c cast) {
	t.Run(s.name+", "+c.subject+" and "+c.peer, func(t *testing.T) {
		t.Parallel() // they wait more than they compute
		s.play(t, c)
	})
}
