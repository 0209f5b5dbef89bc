package kvtest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// watched remembers what a watch has told: the last version of each key, or that
// everything has to be read again.
type watched struct {
	prefix string
	after  kv.Version
	told   map[string]kv.Version
	resync kv.Version // the newest Head of a resync mark
	marked bool
}

func newWatched(prefix string, after kv.Version) *watched {
	return &watched{prefix: prefix, after: after, told: make(map[string]kv.Version)}
}

// note takes a change, and returns an error if it should not have been told.
func (b *watched) note(c kv.Change) error {
	switch {
	case c.Resync && c.Key != "":
		return fmt.Errorf("a resync mark with key %q", c.Key)
	case c.Resync:
		b.marked, b.resync = true, max(b.resync, c.Head)
	case !strings.HasPrefix(c.Key, b.prefix):
		return fmt.Errorf("key %q does not begin with %q", c.Key, b.prefix)
	case c.Version != 0 && c.Version <= b.after:
		return fmt.Errorf("key %q at version %d, which is not after %d", c.Key, c.Version, b.after)
	default:
		b.told[c.Key] = c.Version
	}
	return nil
}

// knows reports whether the reader knows that the key is at a version now, 0
// for a deletion made by commit last: it was told so, or to look later.
func (b *watched) knows(key string, version, last kv.Version) bool {
	told, known := b.told[key]
	return known && told == version || b.marked && b.resync >= last
}

// missing returns a key whose last change the reader does not know of.
func (b *watched) missing(last map[string]change) string {
	for key, c := range last {
		if strings.HasPrefix(key, b.prefix) && c.commit > b.after && !b.knows(key, c.version, c.commit) {
			return key
		}
	}
	return ""
}

// change is the last change of a key.
type change struct {
	version kv.Version // 0: deleted
	commit  kv.Version // the version at which it was written or deleted
}

// watchUntil ranges over a watch until the reader knows everything in last.
func (e *env) watchUntil(s kv.Store, b *watched, last map[string]change) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, e.patience)
	defer cancel()
	for c, err := range s.Watch(ctx, b.prefix, b.after) {
		if err != nil {
			e.Fatalf("watch after %d: %v, before it told of %q", b.after, err, b.missing(last))
		}
		if err := b.note(c); err != nil {
			e.Fatalf("watch %q after %d: %v", b.prefix, b.after, err)
		}
		if b.missing(last) == "" {
			return
		}
	}
	e.Fatalf("watch after %d ended without an error", b.after)
}

// watchWhile begins to watch, writes once the watch waits, and goes on until
// what was written is known.
func (e *env) watchWhile(s kv.Store, b *watched, write func() map[string]change) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, e.patience)
	defer cancel()
	changes := make(chan kv.Change)
	c := start(e, "watch", func() (int, error) {
		for c, err := range s.Watch(ctx, b.prefix, b.after) {
			if err != nil {
				return 0, err
			}
			changes <- c
		}
		return 0, errors.New("ended without an error")
	})
	c.park()
	last := write()
	for b.missing(last) != "" {
		select {
		case change := <-changes:
			if err := b.note(change); err != nil {
				e.Errorf("watch %q after %d: %v", b.prefix, b.after, err)
			}
		case <-c.done:
			e.Fatalf("watch after %d: %v, before it told of %q", b.after, c.err, b.missing(last))
		}
	}
	cancel()
	for !c.finished() {
		select {
		case <-changes:
		case <-c.done:
		}
	}
	e.wantError("watch whose context was cancelled", c.err, context.Canceled)
}
