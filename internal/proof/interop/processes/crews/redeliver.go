//go:build unix

package processes_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/kv"
)

// redeliver delivers messages again until each is answered, as a server does, lets
// the far side read what was sent, and checks the store.
func (c *crew) redeliver(letters ...*story.Letter) {
	c.Helper()
	for late := time.Now().Add(processes.Patience); ; {
		letters = slices.DeleteFunc(letters, c.Answered)
		if len(letters) == 0 {
			break
		}
		if time.Now().After(late) {
			c.Fatalf("%d messages are not answered after %v:\n%s", len(letters), processes.Patience, c.Violations())
		}
		_, _ = c.any().Receive(c.Context(), letters[0]) // the ledger has the outcome
		c.judge()
	}
	c.ReadAll()
	c.check()
}

// check holds the store against what left all processes. One whose owner is
// stopped, or that was, may have to ask again.
func (c *crew) check() {
	c.Helper()
	for late := time.Now().Add(processes.Patience); ; {
		err := c.any().Check(c.Context())
		if err == nil {
			break
		}
		if !refused(err) || time.Now().After(late) {
			c.Fatal(err)
		}
	}
	c.judge()
}

// refused reports whether an error says only that the store cannot be reached.
func refused(err error) bool {
	return errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrUnknown) || errors.Is(err, context.DeadlineExceeded)
}

// letter is a message of the far side.
func (c *crew) letter(fresh bool) *story.Letter {
	c.Helper()
	l := c.Send(fresh)
	c.judge()
	return l
}

// finishUnhurried is finish with processes that wait for as long as it takes.
func (c *crew) finishUnhurried() {
	c.Helper()
	for len(c.members) > 0 {
		c.close(c.members[0])
	}
	c.setup.Patience, c.setup.Within = unhurried, 0
	for _, name := range names {
		c.start(name)
	}
	c.finish()
}

// finishUnrefused is finish of a story in which no call may have been refused:
// whoever dies, the others only wait.
func (c *crew) finishUnrefused() {
	c.Helper()
	c.finish()
	if c.refused > 0 {
		c.Errorf("%d calls were refused because another process was killed", c.refused)
	}
}

// judge ends the test if anything was broken.
func (c *crew) judge() {
	c.Helper()
	if broken := c.Violations(); len(broken) > 0 {
		c.Fatalf("broken:\n%s", broken)
	}
}

// finish lets all become quiet, with one process more that has just started,
// and asks all oracles.
func (c *crew) finish() {
	c.Helper()
	var handles []*story.Handle
	for _, m := range c.members {
		handles = append(handles, m.Handle)
	}
	if broken := c.Finish(c.Context(), handles...); len(broken) > 0 {
		c.Fatalf("broken:\n%s", broken)
	}
	for len(c.members) > 0 {
		c.close(c.members[0])
	}
}
