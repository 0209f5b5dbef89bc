package kvtest

import (
	"fmt"
	"time"
)

// turnClock knows which turns of a script are held, and since when: what a script
// says of them holds as long as they last.
type turnClock struct {
	life  time.Duration
	cause time.Time            // when the last step began that may lead to a grant
	held  map[string]time.Time // by whom, and a time that is not later than the grant
	slow  bool                 // something came so late that it may have waited for an expiry
}

// late reports whether a turn that is held may be over, or something was slow.
func (c *turnClock) late() bool {
	_, since := c.oldest()
	return c.slow || !since.IsZero() && time.Since(since) >= c.life
}

// oldest returns who has held a turn for the longest.
func (c *turnClock) oldest() (who string, since time.Time) {
	for name, at := range c.held {
		if who == "" || at.Before(since) {
			who, since = name, at
		}
	}
	return who, since
}

// atOnce notes that something came that should not have to wait for an expiry, and
// returns a time before which it cannot have been granted.
func (c *turnClock) atOnce() time.Time {
	c.slow = c.slow || !c.cause.IsZero() && time.Since(c.cause) >= c.life
	return c.cause
}

// byExpiry notes that something came that had to wait until the oldest turn was
// over, and returns when that was at the earliest. It may not have come before.
func (c *turnClock) byExpiry() (time.Time, error) {
	who, since := c.oldest()
	if took := time.Since(since); took < c.life {
		return since, fmt.Errorf("after %v, while the turn of %s lasts %v", took, who, c.life)
	}
	delete(c.held, who)
	return since.Add(c.life), nil
}
