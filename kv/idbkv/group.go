//go:build js

package idbkv

import (
	"slices"
	"strings"
	"syscall/js"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
)

// group is the batches that one transaction commits, one after the other, each at a
// version of its own.
type group struct {
	committer *committer
	tx        *tx
	all       []*candidate
	members   []*candidate // those that were taken
	taken     bool
	since     time.Time // when the store was seen to be ours

	newest headRequest
	oldest js.Value // request: the first row of commits
	noted  js.Value // request: turns that are granted

	began kv.Version
	head  kv.Version
	wrote map[string]kv.Version // by members before, 0 for what they deleted
	puts  []func()              // what the members write, in order
	ids   map[kv.CommitID]bool
}

func newGroup(c *committer, t *tx, some []*grouping.Request) *group {
	g := &group{committer: c, tx: t, wrote: make(map[string]kv.Version), ids: make(map[kv.CommitID]bool)}
	for _, r := range some {
		g.all = append(g.all, &candidate{Request: r})
	}
	return g
}

// ask asks in one wave for all that the batches check. Their callers may still give up,
// and then what is asked for is not looked at.
func (g *group) ask() error {
	t := g.tx
	commits := t.store(commitsStore)
	g.newest = askHead(t)
	t.first = g.begin
	g.oldest = t.ask(commits.Call("getKey", keyRange.Call("lowerBound", 0)))
	g.noted = t.ask(t.store(turnsStore).Call("getAll"))
	ids := commits.Call("index", byID)
	for _, c := range g.all {
		id := c.Batch.ID
		within := keyRange.Call("bound", toJS(encodeID(id)), toJS(encodeRefused(id)))
		c.known = t.ask(ids.Call("get", within))
		c.check = newCheck(t, c.Batch.Reads, expectedOf(c.Batch.Scans))
	}
	return g.checkAll(0)
}

// begin notes that the browser has let the transaction at the store.
func (g *group) begin() {
	if g.since.IsZero() {
		g.since = time.Now()
	}
}

// checkAll reads on until every scan is compared.
func (g *group) checkAll(from int) error {
	if from == len(g.all) {
		return g.decide()
	}
	return g.all[from].check.run(func() error { return g.checkAll(from + 1) })
}

// decide takes the batches that may be committed, and writes those whose reads hold, some at
// a time. The store is ours, in all tabs, until the transaction ends.
func (g *group) decide() error {
	g.begin()
	g.began = g.newest.version()
	g.head = g.began
	notes, err := g.notes()
	if err != nil {
		return err
	}
	for _, c := range g.all {
		if g.mustWait(c) || g.committer.heldUp(c.Request, notes) || !c.Take() {
			continue
		}
		g.taken = true
		g.members = append(g.members, c)
		if err := g.write(c); err != nil {
			return err
		}
	}
	g.committer.drop(func(r *grouping.Request) bool {
		return slices.ContainsFunc(g.members, func(c *candidate) bool { return c.Request == r })
	})
	return g.tx.inTurn(g.puts, g.finish)
}

// finish lets the browser commit what was written.
func (g *group) finish() error {
	g.prune()
	g.tx.commit()
	for _, c := range g.members {
		if c.Note != alone { // it was said before
			c.Copied()
		}
	}
	return nil
}

// mustWait reports whether a batch is left for the next transaction: what was asked for
// it does not tell what a member before it has written.
func (g *group) mustWait(c *candidate) bool {
	if g.ids[c.Batch.ID] {
		return true
	}
	for _, s := range c.Batch.Scans {
		for key := range g.wrote {
			if strings.HasPrefix(key, s.Prefix) {
				return true
			}
		}
	}
	return false
}

// prune drops the oldest rows, now and then.
func (g *group) prune() {
	set := g.committer.store.set
	for name, keep := range map[string]int{commitsStore: set.commitIDs, changesStore: set.watchLog} {
		if last := dropUpTo(g.began, g.head, keep); last > 0 {
			g.tx.ask(g.tx.store(name).Call("delete", keyRange.Call("upperBound", float64(last))))
		}
	}
}

// answer tells what became of the batches, once the transaction is over. One of a
// group that failed is tried again by itself.
func (g *group) answer(err error) {
	if err == errNobody {
		err = nil
	}
	if err == nil {
		for _, c := range g.members {
			c.Answer(c.version, c.err)
		}
		if g.head > g.began {
			g.committer.store.bell.ring(committedRing)
			g.committer.store.follower.nudge()
		}
		return
	}
	if !g.taken {
		g.committer.refuse(err, func(r *grouping.Request) bool {
			return slices.ContainsFunc(g.all, func(c *candidate) bool { return c.Request == r })
		})
		return
	}
	if kv.OutcomeOf(err) == kv.NotApplied && len(g.members) > 1 {
		g.again()
		return
	}
	for _, c := range g.members {
		c.Answer(0, c.ofFailure(err))
	}
}

// again lets the members wait again, each for a transaction of its own.
func (g *group) again() {
	var back []*grouping.Request
	for _, c := range g.members {
		c.Note = alone
		if c.Request.PutBack() {
			back = append(back, c.Request)
		}
	}
	g.committer.waiting = append(back, g.committer.waiting...)
}
