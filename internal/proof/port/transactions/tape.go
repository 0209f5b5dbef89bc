package transactions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// tape records what a call does to its store, and does to it what the plan has. A nil
// tape records nothing.
type tape struct {
	engine kv.Store
	ring   seal.Keyring
	own    string
	plan   []Attempt // Meanwhile and Answers of each commit, in their order

	mu       sync.Mutex
	attempts []Attempt
	commits  int             // that had a known outcome
	tries    int             // of the commit under way
	id       kv.CommitID     // of that
	now      Attempt         // that is under way
	read     map[string]bool // since the last commit
	err      error           // the first
}

// unplanned are the commits that have nothing in the plan.
var unplanned Attempt

func (t *tape) planned() *Attempt {
	for at, n := 0, t.commits; at < len(t.plan); at++ {
		if len(t.plan[at].Answers) == 0 {
			continue // an attempt without a commit
		}
		if n--; n < 0 {
			return &t.plan[at]
		}
	}
	return &unplanned
}

func (t *tape) before(ctx context.Context, c faulty.Call) error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch c.Op {
	case faulty.Get:
		for _, key := range c.Keys {
			t.reads(key)
		}
	case faulty.Scan:
		t.reads(c.Prefix)
	case faulty.Commit:
		return t.commit(ctx, c.Batch)
	}
	return nil
}

func (t *tape) reads(key string) {
	if t.read == nil {
		t.read = map[string]bool{}
	}
	t.read[t.short(key)] = true
}

// commit notes a batch when it first comes, and lets come what is planned.
func (t *tape) commit(ctx context.Context, b *kv.Batch) error {
	plan := t.planned()
	first := t.tries == 0
	if first {
		t.note(b)
		t.id = b.ID
	} else if !b.Again || b.ID != t.id {
		t.fail(errors.New("after an unknown outcome comes another batch, or one without the mark that it came before"))
	}
	afterFirst := len(plan.Answers) > 0 && plan.Answers[0] == UnknownApplied
	if first != afterFirst && len(plan.Meanwhile) > 0 && t.now.Meanwhile == nil {
		t.now.Meanwhile = plan.Meanwhile
		if err := put(ctx, t.engine, sealed(t.ring, t.own, plan.Meanwhile)); err != nil {
			t.fail(err)
		}
	}
	if t.wants(plan) == UnknownLost {
		t.answered(UnknownLost)
		return kv.ErrUnknown
	}
	return nil
}

// wants is what the plan answers to the try under way.
func (t *tape) wants(plan *Attempt) string {
	if t.tries < len(plan.Answers) {
		return plan.Answers[t.tries]
	}
	return ""
}

// note turns a batch into checks and writes.
func (t *tape) note(b *kv.Batch) {
	checked := map[string]bool{}
	for _, r := range b.Reads {
		checked[t.short(r.Key)] = true
	}
	for _, s := range b.Scans {
		checked[t.short(s.Prefix)] = true
	}
	for path := range checked {
		delete(t.read, path)
	}
	t.now.Checks, t.now.Unsynced = sorted(checked), len(b.Writes) > 0 && !b.Sync
	if len(b.Writes) > 0 {
		t.now.Writes = Contents{}
	}
	for _, w := range b.Writes {
		if w.Delete {
			t.now.Writes[t.short(w.Key)] = nil
			continue
		}
		plain, err := t.open(w)
		if err != nil {
			t.fail(fmt.Errorf("%s is not sealed as a record: %w", w.Key, err))
		}
		value := Bytes(plain)
		t.now.Writes[t.short(w.Key)] = &value
	}
}

// open returns the record in a value. The keyring is not sealed.
func (t *tape) open(w kv.Write) ([]byte, error) {
	if w.Key == keyringPath {
		return txn.Plaintext.Open(nil, w.Key, w.Value)
	}
	return t.ring.Open(nil, w.Key, w.Value)
}

func (t *tape) after(_ context.Context, c faulty.Call, err error) error {
	if t == nil || c.Op != faulty.Commit {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	plan := t.planned()
	switch {
	case errors.Is(err, kv.ErrConflict):
		t.answered(Conflict)
		t.flush()
	case err != nil:
		t.fail(err)
	case t.wants(plan) == UnknownApplied:
		t.answered(UnknownApplied)
		return kv.ErrUnknown
	default:
		t.answered(Applied)
		t.flush()
	}
	return nil
}

func (t *tape) answered(answer string) {
	t.now.Answers = append(t.now.Answers, answer)
	t.tries++
}

// flush ends an attempt.
func (t *tape) flush() {
	a := t.now
	if a.Reads = sorted(t.read); len(a.Answers) > 0 {
		t.commits++
	}
	t.now, t.read, t.tries = Attempt{}, nil, 0
	if n := len(t.attempts); n > 0 && same(last(t.attempts), a) {
		a = Attempt{AsBefore: true, Meanwhile: a.Meanwhile, Answers: a.Answers}
	}
	t.attempts = append(t.attempts, a)
}

// last is the last attempt that says all of itself.
func last(all []Attempt) Attempt {
	for _, a := range slices.Backward(all) {
		if !a.AsBefore {
			return a
		}
	}
	return Attempt{}
}

// same reports whether two attempts read, check and write the same.
func same(a, b Attempt) bool {
	a.Meanwhile, a.Answers, b.Meanwhile, b.Answers = nil, nil, nil, nil
	return reflect.DeepEqual(a, b)
}

// end notes what was read since the last commit.
func (t *tape) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.read) > 0 || len(t.now.Answers) > 0 {
		t.flush()
	}
}

func (t *tape) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

func sorted(paths map[string]bool) []string {
	if len(paths) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(paths))
}

// short is a path without the segment of the account that is called.
func (t *tape) short(path string) string { return strings.TrimPrefix(path, t.own+"/") }

// Long is a path as the store has it. Those of other accounts, and of records that all
// share, are written whole: their first segments are no kinds.
func Long(own, path string) string {
	first, _, _ := strings.Cut(path, "/")
	if first == "_" || len(first) == len(own) {
		return path
	}
	return own + "/" + path
}

func (p *player) sealed(c Contents) []kv.Write { return sealed(p.ring, p.own, c) }

func sealed(ring seal.Keyring, own string, c Contents) []kv.Write {
	writes := make([]kv.Write, 0, len(c))
	for _, path := range slices.Sorted(maps.Keys(c)) {
		key := Long(own, path)
		if value := c[path]; value != nil && path == keyringPath {
			writes = append(writes, kv.Write{Key: key, Value: txn.Plaintext.Seal(nil, key, *value)})
		} else if value != nil {
			writes = append(writes, kv.Write{Key: key, Value: ring.Seal(nil, key, *value)})
		} else {
			writes = append(writes, kv.Write{Key: key, Delete: true})
		}
	}
	return writes
}

func put(ctx context.Context, store kv.Store, writes []kv.Write) error {
	_, err := store.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(0), Writes: writes, Sync: true})
	return err
}
