//go:build unix

package processes_test

import (
	"context"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/interop/processes/crews"
	"github.com/pawlkv/pawl/kv"
)

// Deadlines of the processes where one of them is stopped.
const (
	short    = 200 * time.Millisecond // of the engine
	deadline = 2 * short              // of each call
	freezes  = 6
)

// TestStopped stops a process, the owner if there is one, at any instant of its
// work and for longer than every deadline. What the others are refused meanwhile
// says nothing of a message, and every call ends while it still stands. When it
// goes on, nothing that it believed before leads it astray.
func TestStopped(t *testing.T) { testStopped(t, deadline, kv.ErrUnknown, context.DeadlineExceeded) }

// TestStoppedWithoutDeadline is TestStopped with calls that have none: they end by
// the patience alone.
func TestStoppedWithoutDeadline(t *testing.T) { testStopped(t, 0, kv.ErrUnknown, kv.ErrUnavailable) }

func testStopped(t *testing.T, within time.Duration, refusals ...error) {
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		c := newFamily(t, processes.Setup{Engine: engine, Patience: short, Within: within}, other, refusals...)
		for i := range freezes {
			stopped := c.Owner()
			own := c.NewWork(stopped)
			wait := own.Begin()
			if i%2 == 0 {
				c.Pause(instant)
			} else {
				wait() // it is stopped between two calls
			}
			if err := stopped.Process.Freeze(); err != nil {
				t.Fatal(err)
			}
			theirs := c.NewWork(c.others(stopped)...)
			theirs.Begin()()
			c.outlast(stopped)
			if err := stopped.Process.Continue(); err != nil {
				t.Fatal(err)
			}
			wait()
			c.Redeliver(append(own.Letters, theirs.Letters...)...)
		}
		refused := c.Refused
		for _, m := range c.Members {
			refused += m.Process.Refused()
		}
		// Without its owner Badger serves nobody; SQLite has none.
		if engine == processes.Badger && refused < freezes {
			t.Errorf("%d calls were refused while the owner stood still %d times", refused, freezes)
		}
		t.Logf("%d calls were refused", refused)
		c.EndUnhurried()
	})
}

// others returns all members but one.
func (c *crew) others(than *member) []*member {
	var others []*member
	for _, m := range c.Members {
		if m != than {
			others = append(others, m)
		}
	}
	return others
}

// outlast lets the others try for longer than any deadline.
func (c *crew) outlast(stopped *member) {
	c.Helper()
	others := c.others(stopped)
	for end, i := time.Now().Add(2*deadline), 0; time.Now().Before(end); i++ {
		if _, err := others[i%len(others)].Machine.Inspect(c.Context()); err != nil && !crews.Refused(err) {
			c.Fatalf("while another process stands still: %v", err)
		}
	}
}
