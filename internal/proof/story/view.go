package story

import (
	"context"
	"slices"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
)

// view is the store as the actors see it: each call is a moment at which the
// scheduler decides. Calls of nobody go straight through.
type view struct {
	kv.Store
	s *scheduler
}

func (s *scheduler) view(store kv.Store) kv.Store {
	return &view{faulty.Wrap(store, faulty.Hooks{Before: s.before, After: s.after}), s}
}

func (s *scheduler) before(ctx context.Context, call faulty.Call) error {
	a := actorOf(ctx)
	if a == nil {
		return nil
	}
	if call.Op == faulty.Commit {
		return s.beforeCommit(a, call.Batch)
	}
	if a.park(beforeRead, nil) == Unavailable {
		return kv.ErrUnavailable
	}
	return nil
}

func (s *scheduler) beforeCommit(a *actor, b *kv.Batch) error {
	arrived := s.last
	switch a.park(beforeCommit, func() bool { return s.mustWait(b, arrived) }) {
	case Unavailable:
		return kv.ErrUnavailable
	case Lost:
		return kv.ErrUnknown
	case Late:
		s.late = append(s.late, b)
		return kv.ErrUnknown
	}
	return nil
}

func (s *scheduler) after(ctx context.Context, call faulty.Call, err error) error {
	a := actorOf(ctx)
	if a == nil || call.Op != faulty.Commit {
		return nil
	}
	if a.park(afterCommit, nil) == Applied && err == nil {
		return kv.ErrUnknown
	}
	return nil
}

// turn is one that was asked for and is not over.
type turn struct {
	id   kv.TurnID
	keys []string
}

// Turn implements kv.Store: the scheduler keeps the turns, so that it knows
// who waits, and time does not pass but by its decision.
func (v *view) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	a := actorOf(ctx)
	if a == nil {
		return v.Store.Turn(ctx, keys...)
	}
	if a.park(beforeRead, nil) == Unavailable {
		return kv.Turn{}, kv.ErrUnavailable
	}
	v.s.last++
	asked := &turn{v.s.last, slices.Clone(keys)}
	v.s.turns = append(v.s.turns, asked)
	a.park(waiting, func() bool { return !v.s.holds(asked) && !v.s.over(asked) })
	release := func() {
		if a.at != crashed { // the dead release nothing
			v.s.turns = slices.DeleteFunc(v.s.turns, func(t *turn) bool { return t == asked })
		}
	}
	return kv.Turn{ID: asked.id, Release: release}, nil
}

// holds reports whether no turn asked for earlier has a key in common.
func (s *scheduler) holds(asked *turn) bool {
	for _, t := range s.turns {
		if t == asked {
			return true
		}
		if slices.ContainsFunc(asked.keys, func(key string) bool { return slices.Contains(t.keys, key) }) {
			return false
		}
	}
	return false
}

func (s *scheduler) over(asked *turn) bool { return !slices.Contains(s.turns, asked) }

// mustWait reports whether a turn that is not b's own, and was asked for before
// b came, stands before b.
func (s *scheduler) mustWait(b *kv.Batch, arrived kv.TurnID) bool {
	own := slices.IndexFunc(s.turns, func(t *turn) bool { return t.id == b.Turn })
	holder := own >= 0 && s.holds(s.turns[own])
	for i, t := range s.turns {
		if i == own || t.id > arrived || holder && !s.holds(t) {
			continue
		}
		if slices.ContainsFunc(b.Writes, func(w kv.Write) bool { return slices.Contains(t.keys, w.Key) }) {
			return true
		}
	}
	return false
}

// expire ends the oldest turn, and reports whether there was one.
func (s *scheduler) expire() bool {
	if len(s.turns) == 0 {
		return false
	}
	s.turns = s.turns[1:]
	return true
}
