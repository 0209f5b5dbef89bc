//go:build unix

package crews

import (
	"sync"

	"github.com/pawlkv/pawl/internal/proof/story"
)

// Work is what processes are at when something happens to them.
type Work struct {
	*Crew
	Letters []*story.Letter // of the far side, to be answered
	tasks   []func()
}

// NewWork is a message for the device, perhaps in a new session, and something
// to do for each of some processes: some receive it, some answer, upload or acknowledge.
func (c *Crew) NewWork(members ...*Member) *Work {
	c.Helper()
	w := &Work{Crew: c, Letters: []*story.Letter{c.Letter(c.One(8))}}
	for i, m := range members {
		if i == 0 || c.One(2) {
			w.Add(func() { _, _ = m.Receive(c.Context(), w.Letters[0]) })
		}
		switch c.Rand.IntN(6) {
		case 0, 1, 2:
			fresh := c.One(25)
			w.Add(func() { m.Post(c.Context(), fresh) })
		case 3:
			arrived := !c.One(4)
			w.Add(func() {
				m.Publish(c.Context(), 1)
				m.Settle(c.Context(), arrived)
			})
		case 4:
			w.Add(func() { m.Acknowledge(c.Context()) })
		}
	}
	return w
}

// Add adds something to do.
func (w *Work) Add(task func()) { w.tasks = append(w.tasks, task) }

// Begin lets everybody work at once. The returned function waits until they
// have finished, or are gone.
func (w *Work) Begin() (wait func()) {
	var group sync.WaitGroup
	for _, task := range w.tasks {
		group.Go(task)
	}
	return group.Wait
}
