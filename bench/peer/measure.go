package peer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/pawlkv/pawl/bench/result"
)

// Config says what to measure and how often.
type Config struct {
	Programs []Program // from Find
	Dir      string    // on the file system that counts; "" is the temporary directory
	Seed     uint64
	Repeats  int     // at least 1
	Share    float64 // of a repetition that is long enough; 1 is all of it
	Syncs    bool    // count sync calls too, in a repetition more
	// Wanted chooses rows; nil is all of them.
	Wanted func(result.Row) bool
	// Step, if not nil, is told before each repetition how many are done, of
	// how many, and which is next.
	Step func(done, total int, next string)
}

// Report is what was measured.
type Report struct {
	Rows     []result.Row
	Versions []result.Version
}

// contestant is an entry that is measured, and what came of it.
type contestant struct {
	program  Program
	entry    Entry
	outcomes []Outcome
	syncs    float64
	failed   error
}

// Measure runs what the programs can do. Entries that can be compared are run
// one after the other, another one first each time. A program or entry that
// fails is rows that say so; the error is of the caller's own directory, or of
// the context.
func Measure(ctx context.Context, c Config) (Report, error) {
	if c.Repeats < 1 || !(c.Share > 0) {
		return Report{}, fmt.Errorf("peer: %d repeats of a share of %v must be positive", c.Repeats, c.Share)
	}
	dir, err := os.MkdirTemp(c.Dir, "pawl-peers-")
	if err != nil {
		return Report{}, err
	}
	defer os.RemoveAll(dir)
	m := measuring{Config: c, dir: dir, groups: c.groups()}
	if err := m.prepare(); err != nil {
		return Report{}, err
	}
	for _, group := range m.groups {
		if err := m.group(ctx, group); err != nil {
			return Report{}, err
		}
	}
	return m.report(), nil
}

// measuring is a Measure that is under way.
type measuring struct {
	Config
	dir, feed   string
	groups      [][]*contestant
	done, total int
}

// groups puts together what can be compared, in the order in which it is first
// met.
func (c Config) groups() [][]*contestant {
	type group struct {
		workload string
		params   result.Params
	}
	var order []group
	found := map[group][]*contestant{}
	for _, p := range c.Programs {
		for _, e := range p.Catalog.Entries {
			if c.Wanted != nil && !c.Wanted(e.Row) {
				continue
			}
			g := group{e.Row.Workload, e.Row.Params}
			if found[g] == nil {
				order = append(order, g)
			}
			found[g] = append(found[g], &contestant{program: p, entry: e, syncs: Unknown})
		}
	}
	groups := make([][]*contestant, len(order))
	for i, g := range order {
		groups[i] = found[g]
	}
	return groups
}

// prepare writes the feed and counts what is to be done.
func (m *measuring) prepare() error {
	most := 1
	for _, c := range slices.Concat(m.groups...) {
		if c.entry.Row.Missing != "" {
			continue
		}
		m.total += m.Repeats
		if m.traced(c) {
			m.total++
		}
		most = max(most, m.messages(c))
	}
	m.feed = filepath.Join(m.dir, "feed.json")
	return NewFeed(m.Seed, most).Save(m.feed)
}

func (m *measuring) messages(c *contestant) int {
	return max(int(math.Round(float64(c.entry.Messages)*m.Share)), 1)
}

// traced: where nothing is made durable, no sync calls are expected.
func (m *measuring) traced(c *contestant) bool { return m.Syncs && c.entry.Row.Durable != "" }

func (m *measuring) group(ctx context.Context, group []*contestant) error {
	for repeat := range m.Repeats {
		for k := range group {
			c := group[(repeat+k)%len(group)]
			err := m.once(ctx, c, func(t Task) error {
				o, err := c.program.Run(ctx, t)
				c.outcomes = append(c.outcomes, o)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	for _, c := range group {
		if !m.traced(c) {
			continue
		}
		err := m.once(ctx, c, func(t Task) (err error) {
			c.syncs, err = c.program.syncs(ctx, t)
			if errors.Is(err, errUntraced) {
				c.syncs, err = Unknown, nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// once gives f a task in an empty directory. What f returns is the contestant's
// failure.
func (m *measuring) once(ctx context.Context, c *contestant, f func(Task) error) error {
	if c.entry.Row.Missing != "" {
		return nil
	}
	if m.Step != nil {
		m.Step(m.done, m.total, c.entry.Row.Workload+", "+c.entry.Row.System)
	}
	m.done++
	if c.failed != nil {
		return nil
	}
	dir, err := os.MkdirTemp(m.dir, "run-")
	if err != nil {
		return err
	}
	c.failed = f(Task{ID: c.entry.ID, Dir: dir, Feed: m.feed, Messages: m.messages(c)})
	return errors.Join(os.RemoveAll(dir), ctx.Err())
}
