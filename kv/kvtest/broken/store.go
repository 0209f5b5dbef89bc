package broken

import (
	"context"
	"iter"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
	"github.com/pawlkv/pawl/kv/internal/watch"
	"github.com/pawlkv/pawl/kv/kvtest/moving"
)

// Disk is what a store keeps when it is closed. It holds the newest commitIDs
// IDs and belongs to one store at a time.
type Disk struct {
	mu        sync.Mutex
	head      kv.Version
	entries   map[string]kv.Entry
	ids       map[kv.CommitID]kv.Version // recorded, also as refused
	refused   map[kv.CommitID]bool
	order     []kv.CommitID
	dropped   kv.Version // of the newest ID dropped
	commitIDs int
}

// NewDisk returns an empty disk.
func NewDisk(commitIDs int) *Disk {
	return &Disk{
		entries: make(map[string]kv.Entry), commitIDs: commitIDs,
		ids: make(map[kv.CommitID]kv.Version), refused: make(map[kv.CommitID]bool),
	}
}

// Store is a kv.Store with a flaw.
type Store struct {
	flaw   Flaw
	disk   *Disk
	turns  *turns.Table
	stack  *stack // in the place of turns for TurnsReversed
	hub    *watch.Hub
	closed bool                // under disk.mu
	before map[string]kv.Entry // the state one commit ago, for ViewLags
	asking atomic.Int64        // who wait for turns
	asked  sync.Map            // turns and when they were granted, for TurnsStrict
}

var _ kv.Store = (*Store)(nil)

// Open returns the store on a disk.
func Open(disk *Disk, flaw Flaw) *Store {
	if flaw == LosesIDs {
		disk.ids, disk.order, disk.dropped = make(map[kv.CommitID]kv.Version), nil, 0
	}
	if flaw == LosesRefused {
		maps.DeleteFunc(disk.ids, func(id kv.CommitID, _ kv.Version) bool { return disk.refused[id] })
		clear(disk.refused)
	}
	if flaw == LosesLast {
		maps.DeleteFunc(disk.entries, func(_ string, entry kv.Entry) bool { return entry.Version == disk.head })
	}
	if flaw == LosesHead {
		disk.head = 0
		for _, entry := range disk.entries {
			disk.head = max(disk.head, entry.Version)
		}
	}
	s := &Store{flaw: flaw, disk: disk, hub: watch.New(disk.head, 0), stack: newStack()}
	if flaw == WatchDrops {
		s.hub = watch.New(disk.head, 16)
	}
	s.turns = turns.New(kv.EmbeddedTurnLife, nil)
	if flaw == TurnsForever {
		s.turns = turns.New(kv.EmbeddedTurnLife, func(time.Duration, func()) func() bool { return func() bool { return true } })
	}
	return s
}

// Snapshot implements kv.Store.
func (s *Store) Snapshot() kv.Snapshot {
	view := &snapshot{store: s}
	if s.flaw == ViewEager {
		_, _ = view.Version(context.Background())
	}
	if care, moves := moved[s.flaw]; moves {
		return moving.View(func() kv.Snapshot { return &snapshot{store: s} }, care)
	}
	return view
}

// moved are the engines whose views move on, and what they do not care for.
var moved = map[Flaw]moving.Care{
	MovesOn:       {},
	MovesValues:   {NoReads: true},
	MovesAbsences: {NoAbsences: true},
	MovesScans:    {NoScans: true},
	MovesParts:    {NoParts: true},
}

// Turn implements kv.Store.
func (s *Store) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	switch s.flaw {
	case TurnsShared:
		return kv.Turn{ID: 1, Release: func() {}}, ctx.Err()
	case TurnsReversed:
		return s.stack.take(ctx)
	case CancelIgnored:
		ctx = context.WithoutCancel(ctx)
	case TurnsGlobal:
		keys = []string{"*"}
	case TurnsLinger:
		return s.linger(ctx, keys)
	case TurnsOneByOne:
		return s.oneByOne(ctx, keys)
	case TurnsKeyed:
		keys = append([]string{"no turn is on nothing"}, keys...)
	}
	turn, err := s.turns.Take(ctx, keys...)
	s.asked.Store(turn.ID, time.Now())
	return turn, err
}

// recent reports whether a turn was granted within the life of one.
func (s *Store) recent(id kv.TurnID) bool {
	granted, known := s.asked.Load(id)
	return known && time.Since(granted.(time.Time)) < s.Limits().TurnLife
}

// linger asks in the name of somebody who may leave, and keeps the place then.
// It returns to no select before that place is taken, so that who comes after
// it is certain to stand behind it.
func (s *Store) linger(ctx context.Context, keys []string) (kv.Turn, error) {
	var turn kv.Turn // its own: nobody waits for it who has left
	var err error
	var placed sync.WaitGroup
	placed.Add(1)
	once := sync.OnceFunc(placed.Done)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer once()
		turn, err = s.turns.Take(staying{ctx, once}, keys...)
	}()
	placed.Wait()
	select {
	case <-done:
		return turn, err
	case <-ctx.Done():
		return kv.Turn{}, ctx.Err()
	}
}

// staying is a context that never ends, and tells when somebody waits for its
// end.
type staying struct {
	context.Context
	waits func()
}

func (c staying) Done() <-chan struct{} { c.waits(); return nil }
func (c staying) Err() error            { return nil }

func (s *Store) oneByOne(ctx context.Context, keys []string) (kv.Turn, error) {
	if len(keys) == 0 {
		return s.turns.Take(ctx)
	}
	var all []kv.Turn
	seen := make(map[string]bool)
	for _, key := range keys {
		if seen[key] {
			continue
		}
		seen[key] = true
		turn, err := s.turns.Take(ctx, key)
		if err != nil {
			return turn, err
		}
		all = append(all, turn)
		runtime.Gosched()
	}
	return kv.Turn{ID: all[0].ID, Release: func() {
		for _, turn := range all {
			turn.Release()
		}
	}}, nil
}

// Watch implements kv.Store.
func (s *Store) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	if s.flaw == WatchFromNow {
		after = s.head()
	}
	told := prefix
	if s.flaw == WatchAnyPrefix {
		told = ""
	}
	return func(yield func(kv.Change, error) bool) {
		for c, err := range s.hub.Watch(ctx, told, after) {
			c, tell := s.distort(c, err)
			if tell && !yield(c, err) {
				return
			}
		}
	}
}

// distort changes what a watcher is told, or says not to tell it.
func (s *Store) distort(c kv.Change, err error) (kv.Change, bool) {
	deleted := err == nil && !c.Resync && c.Version == 0
	switch s.flaw {
	case WatchHead:
		c.Head = s.head()
	case WatchStale:
		c.Version -= min(c.Version, 1)
	case WatchNoDeletion:
		return c, !deleted
	case WatchDrops:
		return c, !c.Resync
	case WatchSilent:
		return c, err == nil
	}
	return c, true
}

// Limits implements kv.Store.
func (s *Store) Limits() kv.Limits {
	limits := kv.Embedded()
	limits.CommitIDs = s.disk.commitIDs
	switch s.flaw {
	case LimitsBelowFloor:
		limits.Checks = kv.FloorChecks - 1
	case LimitsChange:
		if s.closedOr(nil) != nil {
			limits.Writes--
		}
	}
	return limits
}

// Close implements kv.Store.
func (s *Store) Close() error {
	s.disk.mu.Lock()
	s.closed = true
	s.disk.mu.Unlock()
	s.turns.Close()
	s.hub.Close()
	return nil
}

func (s *Store) head() kv.Version {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	return s.disk.head
}

// stack grants the turn, one for all keys, to whoever asked last.
type stack struct {
	mu      sync.Mutex
	taken   bool
	waiting []chan struct{}
}

func newStack() *stack { return &stack{} }

func (k *stack) take(ctx context.Context) (kv.Turn, error) {
	turn := kv.Turn{ID: 1, Release: sync.OnceFunc(k.release)}
	mine := make(chan struct{})
	k.mu.Lock()
	if !k.taken {
		k.taken = true
		close(mine)
	} else {
		k.waiting = append(k.waiting, mine)
	}
	k.mu.Unlock()
	select {
	case <-mine:
		return turn, nil
	case <-ctx.Done():
		return kv.Turn{}, ctx.Err()
	}
}

func (k *stack) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.taken = len(k.waiting) > 0; k.taken {
		last := len(k.waiting) - 1
		close(k.waiting[last])
		k.waiting = slices.Delete(k.waiting, last, last+1)
	}
}
