//go:build unix

package processes_test

import (
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/story"
)

// iterations is what complement-crypto's TestMultiprocessNSE makes.
const iterations = 300

// TestRestarts restarts app and extension at random, by their end or by a kill,
// while the far side sends a new room key in each iteration: whoever runs gets
// it, some answer, and an app that comes back gets all that it has missed.
func TestRestarts(t *testing.T) {
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		c := newCrew(t, processes.Setup{Engine: engine, Patience: unhurried}, other)
		app, nse := &phase{name: "app"}, &phase{name: "nse"}
		var letters []*story.Letter
		for i := range iterations {
			c.turn(app, 6)
			c.turn(nse, 4)
			if app.now == nil && nse.now == nil {
				nse.now = c.Start("nse")
			}
			letters = append(letters, c.Letter(c.One(10)))
			for _, p := range []*phase{nse, app} {
				c.catchUp(p, letters)
			}
			if c.One(2) {
				c.answer(c.Any())
			}
			if c.One(20) {
				c.Any().Publish(t.Context(), 1)
			}
			if i%10 == 0 {
				c.Check()
			}
		}
		c.Redeliver(letters...)
		c.EndUnrefused()
	})
}

// phase is a process that comes and goes.
type phase struct {
	name string
	now  *member // nil: it does not run
	seen int     // messages that it has had
}

// turn starts a process that does not run, or ends it, in one of so many turns.
func (c *crew) turn(p *phase, in int) {
	c.Helper()
	if !c.One(in) {
		return
	}
	switch {
	case p.now == nil:
		p.now = c.Start(p.name)
		return
	case c.One(2):
		c.Kill(p.now)
	default:
		c.Close(p.now)
	}
	p.now = nil
	if c.One(2) {
		p.now = c.Start(p.name)
	}
}

// catchUp lets a process have what it has not had. The extension has only what
// it was started for.
func (c *crew) catchUp(p *phase, letters []*story.Letter) {
	c.Helper()
	if p.now == nil {
		return
	}
	if p.name == "nse" {
		p.seen = len(letters) - 1
	}
	for ; p.seen < len(letters); p.seen++ {
		if _, err := p.now.Receive(c.Context(), letters[p.seen]); err != nil {
			c.Fatalf("%s: %v", p.name, err)
		}
	}
	c.Judge()
}
