//go:build unix

package processes_test

import (
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/story"
)

// chains is more than a session keeps of the chains that it receives on.
const chains = 7

// wedge is the recipe: the extension has the session and lives on, the app moves
// it past all that the extension ever saw, and then the extension is needed, and
// then the app. It ends at the first thing that is broken.
func wedge(c *crew) {
	ctx := c.Context()
	app, nse := c.Start("app"), c.Start("nse")
	_, _ = nse.Receive(ctx, c.Send(false))
	for range chains {
		app.Post(ctx, false)
		c.ReadAll()
		_, _ = app.Receive(ctx, c.Send(false))
	}
	for _, m := range []*member{nse, app, nse} {
		_, _ = m.Receive(ctx, c.Send(false))
		m.Post(ctx, false)
		c.ReadAll()
	}
}

// TestWedge plays the recipe, with the extension kept alive.
func TestWedge(t *testing.T) {
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		c := newCrew(t, processes.Setup{Engine: engine, Patience: unhurried}, other)
		wedge(c)
		c.Judge()
		c.EndUnrefused()
	})
}

// TestWedgeOnStaleCache shows that the recipe is one: where each process keeps
// what it has read, the same steps lose messages, use message keys twice, and
// leave a session in which the two sides do not agree.
func TestWedgeOnStaleCache(t *testing.T) {
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		c := newCrew(t, processes.Setup{Engine: engine, Stale: true}, other)
		wedge(c)
		broken := c.Finish(t.Context(), c.Members[0].Handle, c.Members[1].Handle)
		for _, want := range []story.Oracle{story.FalseFailure, story.KeyReuse, story.Unreadable, story.Agreement} {
			if !broken.Has(want) {
				t.Errorf("oracle %s holds with a stale cache; broken are %v", want, broken.Oracles())
			}
		}
	})
}
