package kvtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// pending is a call of a script that may wait for others.
type pending struct {
	cancel  context.CancelFunc
	turn    *call[kv.Turn] // one of the three
	commit  *call[kv.Version]
	watch   *call[int]
	granted kv.Turn
	store   kv.Store // through which it was asked for
	writes  []kv.Write
	watched *watched
	changes chan kv.Change
	left    chan struct{} // closed when the script is over
}

// begin notes a call, which start has started, once it waits or has ended.
func (p *player) begin(who string, start func(ctx context.Context, c *pending) (park func())) {
	p.Helper()
	if p.calls[who] != nil {
		p.Fatalf("%s: %s has made a call before", p.where, who)
	}
	ctx, cancel := context.WithCancel(p.ctx)
	c := &pending{cancel: cancel, store: p.store, left: make(chan struct{})}
	p.calls[who] = c
	start(ctx, c)()
}

// of returns somebody's call.
func (p *player) of(s step) *pending {
	p.Helper()
	if p.calls[s.who] == nil {
		p.Fatalf("%s: %s has made no call", p.where, s.who)
	}
	return p.calls[s.who]
}

func (p *player) askTurn(s step) {
	var keys []string
	for _, key := range s.args {
		keys = append(keys, unquoted(key))
	}
	p.turns.cause = time.Now()
	p.begin(s.who, func(ctx context.Context, c *pending) func() {
		c.turn = start(p.env, "turn", func() (kv.Turn, error) { return c.store.Turn(ctx, keys...) })
		return c.turn.park
	})
}

// granted waits for a turn. One that is granted because another has expired is
// not granted before that has had its time.
func (p *player) granted(s step) {
	p.Helper()
	c := p.of(s)
	turn, err := c.turn.wait()
	if err != nil || turn.ID == 0 {
		p.Fatalf("%s: turn: %d, %v, want it granted", p.where, turn.ID, err)
	}
	for name, other := range p.calls {
		if other.granted.ID == turn.ID && other.store == c.store {
			p.Fatalf("%s: %s has turn %d too", p.where, name, turn.ID)
		}
	}
	c.granted = turn
	p.turns.held[s.who] = p.came(s)
}

// came notes that something came that may have had to wait for a turn, and returns
// a time before which it cannot have come.
func (p *player) came(s step) time.Time {
	p.Helper()
	if len(s.args) == 0 {
		return p.turns.atOnce()
	}
	at, err := p.turns.byExpiry()
	if err != nil {
		p.Fatalf("%s: %s %v", p.where, s.verb, err)
	}
	return at
}

func (p *player) release(s step) {
	c := p.of(s)
	p.turns.cause = time.Now()
	delete(p.turns.held, s.who)
	c.granted.Release()
}

// commitLater begins to commit, which may wait for somebody's turn.
func (p *player) commitLater(s step) {
	b := batch(p.head(p.store), puts(s.args)...)
	p.begin(s.who, func(ctx context.Context, c *pending) func() {
		c.writes = b.Writes
		c.commit = start(p.env, "commit", func() (kv.Version, error) { return c.store.Commit(ctx, b) })
		return c.commit.park
	})
}

func (p *player) done(s step) {
	p.Helper()
	c := p.of(s)
	version, err := c.commit.wait()
	p.came(s)
	p.expect(s, fmt.Sprintf("version %d, %v", version, err), func(want []string) error {
		return cameTo(want, true, 0, version, err)
	})
	if err == nil {
		p.changed(c.writes, version)
	}
}

// waits checks that a call has not returned, as long as the turn that it waits
// for is certain to be held.
func (p *player) waits(s step) {
	p.Helper()
	c := p.of(s)
	returned := c.turn != nil && c.turn.finished() || c.commit != nil && c.commit.finished()
	if returned && !p.turns.late() {
		p.Fatalf("%s: %s has not waited", p.where, s.who)
	}
}

func (p *player) watch(s step) {
	after := kv.Version(0)
	if len(s.args) == 3 {
		after = p.versions[s.args[2]]
	}
	prefix := unquoted(s.args[0])
	p.begin(s.who, func(ctx context.Context, c *pending) func() {
		c.watched, c.changes = newWatched(prefix, after), make(chan kv.Change)
		c.watch = start(p.env, "watch", func() (int, error) {
			for change, err := range c.store.Watch(ctx, prefix, after) {
				if err != nil {
					return 0, err
				}
				select {
				case c.changes <- change:
				case <-c.left:
					return 0, nil
				}
			}
			return 0, errors.New("it ended without an error")
		})
		return c.watch.park
	})
}

// knows waits until a watcher knows the latest state of the keys, of all that it
// watches if none is named.
func (p *player) knows(s step) {
	p.Helper()
	c := p.of(s)
	last := p.last
	if len(s.args) > 0 {
		last = make(map[string]change)
		for _, key := range s.args {
			last[key] = p.last[key]
		}
	}
	patience := time.After(p.patience)
	for c.watched.missing(last) != "" {
		select {
		case change := <-c.changes:
			if err := c.watched.note(change); err != nil {
				p.Fatalf("%s: watch: %v", p.where, err)
			}
		case <-c.watch.done:
			p.Fatalf("%s: watch: %v, before it told of %q", p.where, c.watch.err, c.watched.missing(last))
		case <-patience:
			p.Fatalf("%s: watch: not told of %q", p.where, c.watched.missing(last))
		}
	}
}

func (p *player) cancel(s step) {
	p.turns.cause = time.Now()
	p.of(s).cancel()
}

// ends waits for a call to end with an error.
func (p *player) ends(s step) {
	p.Helper()
	var err error
	switch c := p.of(s); {
	case c.turn != nil:
		_, err = c.turn.wait()
	case c.commit != nil:
		_, err = c.commit.wait()
	default:
		err = p.lastError(c)
	}
	p.expectWords(s, nil, orNone(err))
}

// orNone makes success an error that no script expects.
func orNone(err error) error {
	if err == nil {
		return errors.New("it has not failed")
	}
	return err
}

// lastError is that of a watch, whatever it tells before.
func (p *player) lastError(c *pending) error {
	p.Helper()
	for patience := time.After(p.patience); ; {
		select {
		case <-c.changes:
		case <-c.watch.done:
			return c.watch.err
		case <-patience:
			p.Fatalf("%s: the watch has not ended", p.where)
		}
	}
}
