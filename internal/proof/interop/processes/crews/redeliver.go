//go:build unix

package crews

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/kv"
)

// Redeliver delivers messages again until each is answered, as a server does, lets
// the far side read what was sent, and checks the store.
func (c *Crew) Redeliver(letters ...*story.Letter) {
	c.Helper()
	for late := time.Now().Add(processes.Patience); ; {
		letters = slices.DeleteFunc(letters, c.Answered)
		if len(letters) == 0 {
			break
		}
		if time.Now().After(late) {
			c.Fatalf("%d messages are not answered after %v:\n%s", len(letters), processes.Patience, c.Violations())
		}
		_, _ = c.Any().Receive(c.Context(), letters[0]) // the ledger has the outcome
		c.Judge()
	}
	c.ReadAll()
	c.Check()
}

// Check holds the store against what left all processes. One whose owner is
// stopped, or that was, may have to ask again.
func (c *Crew) Check() {
	c.Helper()
	for late := time.Now().Add(processes.Patience); ; {
		err := c.Any().Check(c.Context())
		if err == nil {
			break
		}
		if !Refused(err) || time.Now().After(late) {
			c.Fatal(err)
		}
	}
	c.Judge()
}

// Refused reports whether an error says only that the store cannot be reached.
func Refused(err error) bool {
	return errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrUnknown) || errors.Is(err, context.DeadlineExceeded)
}

// Letter is a message of the far side.
func (c *Crew) Letter(fresh bool) *story.Letter {
	c.Helper()
	l := c.Send(fresh)
	c.Judge()
	return l
}

// EndUnhurried is End with processes that wait for as long as it takes.
func (c *Crew) EndUnhurried() {
	c.Helper()
	for len(c.Members) > 0 {
		c.Close(c.Members[0])
	}
	c.Setup.Patience, c.Setup.Within = Unhurried, 0
	for _, name := range Names {
		c.Start(name)
	}
	c.End()
}

// EndUnrefused is End of a story in which no call may have been refused:
// whoever dies, the others only wait.
func (c *Crew) EndUnrefused() {
	c.Helper()
	c.End()
	if c.Refused > 0 {
		c.Errorf("%d calls were refused because another process was killed", c.Refused)
	}
}

// Judge ends the test if anything was broken.
func (c *Crew) Judge() {
	c.Helper()
	if broken := c.Violations(); len(broken) > 0 {
		c.Fatalf("broken:\n%s", broken)
	}
}

// End lets all become quiet, with one process more that has just started,
// and asks all oracles.
func (c *Crew) End() {
	c.Helper()
	var handles []*story.Handle
	for _, m := range c.Members {
		handles = append(handles, m.Handle)
	}
	if broken := c.Finish(c.Context(), handles...); len(broken) > 0 {
		c.Fatalf("broken:\n%s", broken)
	}
	for len(c.Members) > 0 {
		c.Close(c.Members[0])
	}
}
