//go:build unix

package processes_test

import (
	"sync"

	"github.com/pawlkv/pawl/internal/proof/story"
)

// work is what processes are at when something happens to them.
type work struct {
	*crew
	letters []*story.Letter // of the far side, to be answered
	tasks   []func()
}

// newWork is a message for the device, perhaps in a new session, and something
// to do for each of some processes: some receive it, some answer, upload or acknowledge.
func (c *crew) newWork(members ...*member) *work {
	c.Helper()
	w := &work{crew: c, letters: []*story.Letter{c.letter(c.one(8))}}
	for i, m := range members {
		if i == 0 || c.one(2) {
			w.add(func() { _, _ = m.Receive(c.Context(), w.letters[0]) })
		}
		switch c.rng.IntN(6) {
		case 0, 1, 2:
			fresh := c.one(25)
			w.add(func() { m.Post(c.Context(), fresh) })
		case 3:
			arrived := !c.one(4)
			w.add(func() {
				m.Publish(c.Context(), 1)
				m.Settle(c.Context(), arrived)
			})
		case 4:
			w.add(func() { m.Acknowledge(c.Context()) })
		}
	}
	return w
}

func (w *work) add(task func()) { w.tasks = append(w.tasks, task) }

// begin lets everybody work at once. The returned function waits until they
// have finished, or are gone.
func (w *work) begin() (wait func()) {
	var group sync.WaitGroup
	for _, task := range w.tasks {
		group.Go(task)
	}
	return group.Wait
}
