//go:build unix

package processes_test

import (
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/story"
)

// receive lets a process decrypt a message at the first try, and says whether it
// should be the first that does.
func (c *crew) receive(m *member, l *story.Letter, duplicate bool) {
	c.Helper()
	d, err := m.Receive(c.Context(), l)
	if err != nil || d.Duplicate != duplicate || string(d.Plaintext) != string(l.Plaintext) {
		c.Fatalf("%s: duplicate %v, error %v; want duplicate %v", m.Name, d.Duplicate, err, duplicate)
	}
}

// answer lets a process send a message and the far side read it.
func (c *crew) answer(m *member) {
	c.Helper()
	m.Post(c.Context(), false)
	c.ReadAll()
	c.Judge()
}

// talking is a crew whose app has answered the far side, so that neither side
// sends pre-key messages any more. The app runs.
func talking(t *testing.T, engine string, other interop.Implementation) (c *crew, app *member) {
	t.Helper()
	c = newCrew(t, processes.Setup{Engine: engine, Patience: unhurried}, other)
	app = c.Start("app")
	c.receive(app, c.Letter(false), false)
	c.answer(app)
	return c, app
}

// TestExtension plays what the system does to a notification extension: it is
// started for a message and ended after it.
func TestExtension(t *testing.T) {
	for _, one := range []struct {
		name string
		play func(c *crew, app *member)
	}{
		{"while the app is closed", whileClosed},
		{"for an old message", forOldMessage},
		{"with many unread", withManyUnread},
		{"for a message that is no pre-key message", forNormalMessage},
	} {
		t.Run(one.name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
				t.Parallel()
				c, app := talking(t, engine, other)
				one.play(c, app)
				c.EndUnrefused()
			})
		})
	}
}

// whileClosed: the app meets what the extension has decrypted, in a new session
// too, and answers.
func whileClosed(c *crew, app *member) {
	for _, fresh := range []bool{false, true} {
		c.Close(app)
		l := c.Letter(fresh)
		nse := c.Start("nse")
		c.receive(nse, l, false)
		c.Close(nse)
		app = c.Start("app")
		c.receive(app, l, true)
		c.answer(app)
		c.receive(app, c.Letter(false), false)
	}
}

// forOldMessage: the push for a message comes after the app has gone on, once
// for one that the app has had and once for one that it has not.
func forOldMessage(c *crew, app *member) {
	had, missed := c.Letter(false), c.Letter(false)
	c.receive(app, had, false)
	for range 3 {
		c.receive(app, c.Letter(false), false)
		c.answer(app)
	}
	nse := c.Start("nse")
	c.receive(nse, had, true)
	c.receive(nse, missed, false)
	c.Close(nse)
	c.receive(app, missed, true)
	c.answer(app)
}

// unread is how many messages wait: their keys are skipped when the last comes
// first, and goolm and libolm keep 40.
const unread = 30

// withManyUnread: the extension is started for the last of many, and the app
// then syncs all.
func withManyUnread(c *crew, app *member) {
	app.SyncAll(c.Context())
	c.Close(app)
	var letters []*story.Letter
	for range unread {
		letters = append(letters, c.Letter(false))
	}
	last := letters[unread-1]
	nse := c.Start("nse")
	c.receive(nse, last, false)
	app = c.Start("app")
	app.SyncAll(c.Context())
	c.Judge()
	for _, l := range letters {
		c.receive(nse, l, true)
	}
	c.Close(nse)
	c.answer(app)
}

// forNormalMessage: a process that was never there when the session was opened
// decrypts in it, and sends.
func forNormalMessage(c *crew, app *member) {
	c.Close(app)
	l := c.Letter(false)
	if l.Message.Type != 1 {
		c.Fatalf("the message has type %d, want 1: both sides have talked", l.Message.Type)
	}
	nse := c.Start("nse")
	c.receive(nse, l, false)
	c.answer(nse)
	c.receive(nse, c.Letter(false), false)
}
