package story

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/txn"
)

// Program is what every actor of a schedule does, and the decisions that were
// taken while it ran. Both are small and can be read; see [Program.String].
type Program struct {
	Seed      uint64 // of all keys, and of the decisions that are not given
	Policy    txn.CachePolicy
	Talking   bool // both sides have talked before it begins
	Actors    []Actor
	Decisions []Decision
}

// Actor is one goroutine: of the handle that its name begins with ("nse", or
// "app+2" for another goroutine on the handle app), or the far side, "bob".
type Actor struct {
	Name string
	Ops  []Op
}

// Bob is the name of the far side.
const Bob = "bob"

// handle is the name of the process that the actor belongs to.
func (a Actor) handle() string {
	name, _, _ := strings.Cut(a.Name, "+")
	return name
}

// Op is one step of an actor.
type Op struct {
	Kind Kind
	N    int // of Again and Upload
}

// Kind is what an actor does in a step.
type Kind string

// What handles do; the far side has Send, Open and Read.
const (
	Sync    Kind = "sync"     // decrypt the next message not seen
	SyncAll Kind = "sync-all" // decrypt all messages not seen, in a batch
	Again   Kind = "again"    // decrypt message N once more, or early
	Send    Kind = "send"
	Open    Kind = "open" // send in a new session
	Read    Kind = "read" // of the far side: decrypt all that is on its way
	Upload  Kind = "upload"
	Arrived Kind = "arrived" // the oldest upload did
	Abandon Kind = "abandon" // nobody knows
	Ack     Kind = "ack"
	Sweep   Kind = "sweep"
	Restart Kind = "restart"
)

var numbered = []Kind{Again, Upload}

// What is drawn from, the likely more than once.
var (
	handleKinds = []Kind{
		Sync, Sync, Sync, Sync, Sync, Sync, SyncAll, Again, Again, Send, Send, Send, Send, Open,
		Upload, Arrived, Abandon, Ack, Sweep, Restart,
	}
	bobKinds = []Kind{Send, Send, Send, Read, Read, Open}
)

// Most steps of one actor in a random program: what breaks, breaks in few.
const mostOps = 6

// Generate returns a random program without decisions.
func Generate(seed uint64) Program {
	r := newChoices(seed, opsStream)
	p := Program{Seed: seed, Talking: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		p.Policy = txn.Validated
	}
	names := []string{"app", "nse", "share"}[:2+r.IntN(2)]
	if r.IntN(4) == 0 {
		names = append(names, "app+2")
	}
	for _, name := range names {
		p.Actors = append(p.Actors, Actor{name, drawOps(r, handleKinds)})
	}
	p.Actors = append(p.Actors, Actor{Bob, drawOps(r, bobKinds)})
	return p
}

func drawOps(r *rand.Rand, kinds []Kind) []Op {
	ops := make([]Op, 1+r.IntN(mostOps))
	for i := range ops {
		ops[i].Kind = kinds[r.IntN(len(kinds))]
		if slices.Contains(numbered, ops[i].Kind) {
			ops[i].N = 1 + r.IntN(2)
		}
	}
	return ops
}

func (o Op) String() string {
	if slices.Contains(numbered, o.Kind) {
		return fmt.Sprintf("%s %d", o.Kind, o.N)
	}
	return string(o.Kind)
}

// Size is what shrinking makes small.
func (p Program) Size() int {
	n := len(p.Decisions)
	for _, a := range p.Actors {
		n += 1 + len(a.Ops)
	}
	return n
}
