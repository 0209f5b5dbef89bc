package power

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// Commits is a Subject that commits: each commit a key of its own, some unsynced.
// Now and then a batch is refused for good, and what was in its way goes with the
// next.
type Commits struct {
	// Count is how many; 0 is 40.
	Count int
	// ForgetsRefusals leaves out the batches that are refused for good.
	ForgetsRefusals bool

	store kv.Store
	made  []made
}

// made is a batch, and what became of it.
type made struct {
	batch   *kv.Batch
	refused bool // for good, else applied at the version
	version kv.Version
}

var _ Subject = (*Commits)(nil)

// Begin implements Subject.
func (c *Commits) Begin(store kv.Store) error { return c.Resume(store) }

// Resume implements Subject.
func (c *Commits) Resume(store kv.Store) error {
	c.store = store
	return nil
}

// Steps implements Subject.
func (c *Commits) Steps() int {
	if c.Count == 0 {
		return 40
	}
	return c.Count
}

// inTheWay is the key that a refused batch expects to be absent.
const inTheWay = "in the way"

func key(n int) string { return fmt.Sprintf("k/%04d", n) }

// Step implements Subject. Of eight steps the second sets what is in the way of
// the third, and the fourth takes it away.
func (c *Commits) Step() error {
	n := len(c.made) + 1
	snap := c.store.Snapshot()
	head, err := snap.Version(context.Background())
	snap.Close()
	if err != nil {
		return err
	}
	b := &kv.Batch{ID: kv.NewCommitID(head), Sync: n%4 != 1, Writes: []kv.Write{
		{Key: key(n), Value: []byte(strings.Repeat("v", n*100-99))},
	}}
	switch n % 8 {
	case 2, 4:
		b.Writes = append(b.Writes, kv.Write{Key: inTheWay, Delete: n%8 == 4})
	case 3:
		if !c.ForgetsRefusals {
			return c.refuse(b)
		}
	}
	version, err := c.store.Commit(context.Background(), b)
	c.made = append(c.made, made{batch: b, version: version})
	return err
}

// refuse has a batch refused although it comes again. It need not be synced, and
// that it is refused must be.
func (c *Commits) refuse(b *kv.Batch) error {
	b.Sync, b.Reads = false, []kv.Read{{Key: inTheWay}}
	later := *b
	later.Again = true
	_, err := c.store.Commit(context.Background(), &later)
	if !errors.Is(err, kv.ErrConflict) {
		return fmt.Errorf("a batch that comes again, with something in its way: %w", err)
	}
	c.made = append(c.made, made{batch: b, refused: true})
	return nil
}

// Judge implements Subject: the store has the commits up to some step, which is
// not before the last one that was synced and acknowledged, knows them by their
// IDs, and refuses what it refused.
func (c *Commits) Judge(store kv.Store, steps int) error {
	last, err := c.last(store)
	if err != nil {
		return err
	}
	safe := 0
	for i, m := range c.made[:steps] {
		if m.batch.Sync || m.refused {
			safe = i + 1
		}
	}
	if last < safe && !c.onlyRefused(last, safe) {
		return fmt.Errorf("the store has the commits up to %d, %d was acknowledged", last, safe)
	}
	// What was refused is refused by its ID, not by what was in its way.
	clear := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: inTheWay, Delete: true}}}
	if _, err := store.Commit(context.Background(), clear); err != nil {
		return err
	}
	for i, m := range c.made {
		known := m.refused && i < steps || !m.refused && i < last
		if !known {
			continue
		}
		if err := askAgain(store, i+1, m); err != nil {
			return err
		}
	}
	return nil
}

// last returns the last commit that is there; all before it have to be, and none
// after it.
func (c *Commits) last(store kv.Store) (last int, err error) {
	snap := store.Snapshot()
	defer snap.Close()
	missing := 0
	for i, m := range c.made {
		entries, err := snap.Get(context.Background(), key(i+1))
		switch {
		case err != nil:
			return 0, err
		case !entries[0].Exists() && !m.refused && missing == 0:
			missing = i + 1
		case !entries[0].Exists():
		case m.refused:
			return 0, fmt.Errorf("batch %d was refused and applied", i+1)
		case missing > 0:
			return 0, fmt.Errorf("commit %d is there, and %d is not", i+1, missing)
		case entries[0].Version != m.version:
			return 0, fmt.Errorf("commit %d has version %d, want %d", i+1, entries[0].Version, m.version)
		default:
			last = i + 1
		}
	}
	return last, nil
}

// onlyRefused reports whether there is nothing but refusals after one step up to
// another.
func (c *Commits) onlyRefused(last, safe int) bool {
	for _, m := range c.made[last:safe] {
		if !m.refused {
			return false
		}
	}
	return true
}

// askAgain commits once more what was applied, or lets the first try of what was
// refused arrive.
func askAgain(store kv.Store, n int, m made) error {
	version, err := store.Commit(context.Background(), m.batch)
	switch {
	case m.refused && !errors.Is(err, kv.ErrConflict):
		return fmt.Errorf("batch %d was refused for good; its first try arrives: version %d, %v", n, version, err)
	case !m.refused && (err != nil || version != m.version):
		return fmt.Errorf("commit %d comes again: version %d, %v, want %d", n, version, err, m.version)
	}
	return nil
}
