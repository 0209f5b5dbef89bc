package kvtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// player runs a script on a store.
type player struct {
	*env
	store kv.Store   // that a step goes through
	all   []kv.Store // open of the one in dir
	dir   string
	where string // file:line of the step

	kinds    map[int]bool // of engines that it may still be: places between bars
	txns     map[string]*transaction
	calls    map[string]*pending
	versions map[string]kv.Version
	last     map[string]change // of each key
	turns    turnClock
}

// play runs a script until it was quick enough to tell anything: what is said of
// turns holds only while they last.
func play(e *env, file string, steps []step) {
	e.Helper()
	e.inTime(file, func() bool {
		p := &player{
			env: e, kinds: make(map[int]bool), txns: make(map[string]*transaction), calls: make(map[string]*pending),
			versions: make(map[string]kv.Version), last: make(map[string]change),
		}
		if e.reopen != nil {
			p.dir = e.dir()
			p.all = []kv.Store{e.stored(p.dir)}
		} else {
			p.all = []kv.Store{e.store()}
		}
		defer p.leave()
		p.turns = turnClock{life: p.all[0].Limits().TurnLife, held: make(map[string]time.Time)}
		for _, s := range steps {
			for kind := range s.want {
				p.kinds[kind] = true
			}
		}
		for _, s := range steps {
			p.where = fmt.Sprintf("%s:%d", file, s.line)
			p.store = p.through(s.store)
			forms[s.verb].play(p, s)
			if p.turns.late() {
				return false
			}
		}
		return true
	})
}

// through returns one of the open stores, counting from 1. 0 is the first.
func (p *player) through(number int) kv.Store {
	for len(p.all) < number {
		p.all = append(p.all, p.stored(p.dir))
	}
	return p.all[max(number, 1)-1]
}

// leave ends what a script has left under way.
func (p *player) leave() {
	for _, c := range p.calls {
		c.cancel()
		close(c.left)
		if c.granted.Release != nil {
			c.granted.Release()
		}
	}
	for _, txn := range p.txns {
		txn.close()
	}
}

// expect narrows down what kind of engine this is to those for which matches is
// nil, and fails if none is left. got says what was found.
func (p *player) expect(s step, got string, matches func(want []string) error) {
	p.Helper()
	if len(s.want) == 1 {
		if err := matches(s.want[0]); err != nil {
			p.Fatalf("%s: %s: %s: %v", p.where, s.verb, got, err)
		}
		return
	}
	var why []error
	for _, kind := range slices.Sorted(maps.Keys(p.kinds)) {
		if err := matches(s.want[kind]); err != nil {
			delete(p.kinds, kind)
			why = append(why, err)
		}
	}
	if len(p.kinds) == 0 {
		p.Fatalf("%s: %s: %s: %v", p.where, s.verb, got, errors.Join(why...))
	}
}

// expectWords is expect of a list of words, or of the word for an error.
func (p *player) expectWords(s step, got []string, err error) {
	p.Helper()
	if err != nil {
		got = []string{word(err)}
	}
	p.expect(s, fmt.Sprintf("got %q (%v)", got, err), func(want []string) error {
		if !slices.Equal(got, want) {
			return fmt.Errorf("want %q", want)
		}
		return nil
	})
}

// words are the errors that scripts name.
var words = []struct {
	is   error
	word string
}{
	{kv.ErrExpired, "expired"}, {kv.ErrUnknown, "unknown"}, {kv.ErrConflict, "gone"}, {kv.ErrTooLarge, "too-large"},
	{kv.ErrInvalid, "invalid"}, {kv.ErrClosed, "closed"}, {context.Canceled, "canceled"},
}

// word is the one for an error of a call other than a commit's conflict.
func word(err error) string {
	if err == nil {
		return "ok"
	}
	for _, w := range words {
		if errors.Is(err, w.is) {
			return w.word
		}
	}
	return err.Error()
}

func (p *player) setup(s step) { p.commitNow(puts(s.args)) }

func (p *player) remove(s step) {
	var writes []kv.Write
	for _, key := range s.args {
		writes = append(writes, del(key))
	}
	p.commitNow(writes)
}

// commitNow commits what depends on nothing.
func (p *player) commitNow(writes []kv.Write) {
	p.Helper()
	p.changed(writes, p.write(p.store, writes...))
}

// changed notes what a commit has changed, for watchers.
func (p *player) changed(writes []kv.Write, version kv.Version) {
	for _, w := range writes {
		c := change{version, version}
		if w.Delete {
			c.version = 0
		}
		p.last[w.Key] = c
	}
}

// busyKey is what busy commits write. Neither it nor what fill writes is part of
// the final content.
const busyKey = "busy"

func (p *player) busy(s step) {
	n := p.quantity(s.args[0])
	began := p.head(p.store)
	for i := range n {
		b := batch(began, put(busyKey, fmt.Sprint(i)))
		b.Sync = false
		began = p.env.commit(p.store, b)
		p.changed(b.Writes, began)
	}
}

// quantity is a number, one of the store's limits, twice that, or one more.
func (p *player) quantity(text string) int {
	p.Helper()
	limits := p.store.Limits()
	one, more := strings.CutSuffix(text, "+1")
	name, twice := strings.CutPrefix(one, "2*")
	named := map[string]int{"writes": limits.Writes, "bytes": limits.Bytes, "checks": limits.Checks, "kept": p.kept(p.store)}
	n, known := named[name]
	if !known {
		var err error
		if n, err = strconv.Atoi(name); err != nil {
			p.Fatalf("%s: %q is no quantity", p.where, text)
		}
	}
	if twice {
		n *= 2
	}
	if more {
		n++
	}
	return n
}

func (p *player) nameVersion(s step) { p.versions[s.args[0]] = p.head(p.store) }

func (p *player) close(step) {
	p.turns.cause = time.Now()
	clear(p.turns.held)
	p.closeNow(p.store)
}

func (p *player) reopen(step) { p.all[0] = p.reopened(p.store, p.dir) }

func (p *player) final(s step) {
	entries := slices.DeleteFunc(p.content(p.store), func(e kv.Entry) bool { return e.Key == busyKey || strings.HasPrefix(e.Key, fillPrefix) })
	p.expectWords(s, pairs(entries), nil)
}
