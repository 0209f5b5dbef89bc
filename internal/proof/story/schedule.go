package story

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// mostDecisions is far above what any program takes that makes progress.
const mostDecisions = 20_000

// Outcome is what became of a program.
type Outcome struct {
	Program    Program // with all decisions that were taken
	During     int     // violations before all became quiet
	Violations Violations
}

// Run runs a program on an empty memkv store with one actor at a time. The
// decisions are those of the program if it has any, else they follow from its
// seed. Then all becomes quiet, and the oracles are asked.
func Run(ctx context.Context, store *memkv.Store, p Program, d Design, peer NewPeer) (Outcome, error) {
	s := &scheduler{parked: make(chan *actor), tape: newTape(p), store: store, shares: d == nil}
	w, err := NewWorld(ctx, Setting{
		Seed: p.Seed, Store: s.store, Policy: p.Policy, Design: d, Peer: peer, view: s.view,
		options: []txn.Option{txn.WithSleep(s.sleep)},
	}, 2)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.prepare(ctx, w, p); err != nil {
		return Outcome{}, err
	}
	s.run(w)
	s.deliverLate()
	p.Decisions = s.tape.taken
	during := len(w.Violations())
	return Outcome{p, during, w.Finish(ctx, s.survivors()...)}, nil
}

// scheduler lets one actor proceed at a time. Its fields are used by whoever
// proceeds: an actor between receiving an order and parking again, or the
// scheduler while all are parked.
type scheduler struct {
	store  kv.Store
	actors []*actor
	parked chan *actor // those that stopped, one for each order
	tape   *tape
	turns  []*turn // in the order asked for
	last   kv.TurnID
	late   []*kv.Batch
	shares bool // goroutines of one process use one handle
}

// actor is a goroutine of the program.
type actor struct {
	Actor
	name    string
	s       *scheduler
	world   *World
	handle  *Handle // nil: the far side
	process *process
	orders  chan Action
	at      moment
	blocked func() bool // waits for something; nil: for an order only
	done    bool
}

// process is what crashes: all actors on one handle.
type process struct {
	dead   bool
	handle *Handle // its first
}

// prepare lets the story begin and puts the actors at their first step.
func (s *scheduler) prepare(ctx context.Context, w *World, p Program) error {
	w.Send(false)
	if p.Talking {
		h, err := w.Open(ctx, "earlier")
		if err != nil {
			return err
		}
		h.Sync(ctx)
		h.Post(ctx, false)
		w.ReadAll()
		w.Send(false)
	}
	processes := map[string]*process{}
	for _, one := range p.Actors {
		a := &actor{Actor: one, name: one.Name, s: s, world: w, orders: make(chan Action)}
		s.actors = append(s.actors, a)
		if one.Name == Bob {
			continue
		}
		var err error
		if a.process, err = s.start(ctx, a, processes[one.handle()]); err != nil {
			return err
		}
		processes[one.handle()] = a.process
	}
	return nil
}

// start gives an actor its handle: another goroutine's if there is one and the
// design can be used by two that wait for each other.
func (s *scheduler) start(ctx context.Context, a *actor, p *process) (*process, error) {
	if p != nil && s.shares {
		a.handle = &Handle{Name: a.name, Machine: p.handle.Machine, world: a.world}
		return p, nil
	}
	h, err := a.world.Open(ctx, a.name)
	a.handle = h
	if p == nil {
		p = &process{handle: h}
	}
	return p, err
}

// run takes decisions until nobody has anything left to do.
func (s *scheduler) run(w *World) {
	for _, a := range s.actors {
		go a.live()
		<-s.parked
	}
	for range mostDecisions {
		ready := s.ready()
		if len(ready) == 0 {
			if s.finished() {
				return
			}
			if !s.expire() {
				break
			}
			continue
		}
		s.deliverLate()
		a, action := s.tape.next(ready)
		s.order(a, action)
	}
	w.Fail(Progress, "after %d decisions there are calls that have not ended", len(s.tape.taken))
	for _, a := range s.actors {
		s.end(a)
	}
}

func (s *scheduler) order(a *actor, action Action) {
	switch action {
	case Expire:
		s.expire()
		action = Go
	case Crash:
		if a.process == nil {
			action = Go
			break
		}
		a.process.dead = true
		for _, other := range s.actors {
			if other.process == a.process {
				s.end(other)
			}
		}
		return
	}
	a.orders <- action
	<-s.parked
}

// end makes an actor go no further.
func (s *scheduler) end(a *actor) {
	if !a.done {
		a.orders <- Crash
		<-s.parked
	}
}

func (s *scheduler) ready() []*actor {
	var ready []*actor
	for _, a := range s.actors {
		if !a.done && (a.blocked == nil || !a.blocked()) {
			ready = append(ready, a)
		}
	}
	return ready
}

func (s *scheduler) finished() bool {
	return !slices.ContainsFunc(s.actors, func(a *actor) bool { return !a.done })
}

// survivors returns the handles of the processes that did not crash.
func (s *scheduler) survivors() []*Handle {
	var handles []*Handle
	for _, a := range s.actors {
		if a.handle != nil && !a.process.dead {
			handles = append(handles, a.handle)
		}
	}
	return handles
}

// deliverLate makes the commits that were said to be unknown. Nobody hears of
// their outcome.
func (s *scheduler) deliverLate() {
	late := s.late
	s.late = nil
	for _, b := range late {
		_, _ = s.store.Commit(context.Background(), b)
	}
}

// actorKey is the context key under which an actor travels to the store.
type actorKey struct{}

func actorOf(ctx context.Context) *actor {
	a, _ := ctx.Value(actorKey{}).(*actor)
	return a
}

// live is the actor's goroutine.
func (a *actor) live() {
	defer func() {
		a.done = true
		a.s.parked <- a
	}()
	ctx := context.WithValue(context.Background(), actorKey{}, a)
	for _, op := range a.Ops {
		a.park(betweenSteps, nil)
		if a.handle == nil {
			a.world.step(op)
		} else {
			a.step(ctx, op)
		}
	}
}

// park stops until the scheduler lets this actor proceed. In a crash the
// goroutine ends here.
func (a *actor) park(at moment, blocked func() bool) Action {
	a.at, a.blocked = at, blocked
	a.s.parked <- a
	action := <-a.orders
	if action == Crash {
		a.at = crashed
		runtime.Goexit()
	}
	return action
}

const crashed moment = -1

func (s *scheduler) sleep(ctx context.Context, _ time.Duration) error {
	if a := actorOf(ctx); a != nil {
		a.park(waiting, nil)
	}
	return ctx.Err()
}

// step is what the far side does.
func (w *World) step(op Op) {
	switch op.Kind {
	case Send, Open:
		w.Send(op.Kind == Open)
	case Read:
		w.ReadAll()
	}
}

func (a *actor) step(ctx context.Context, op Op) {
	h := a.handle
	switch op.Kind {
	case Sync:
		h.Sync(ctx)
	case SyncAll:
		h.SyncAll(ctx)
	case Again:
		h.Again(ctx, op.N)
	case Send, Open:
		h.Post(ctx, op.Kind == Open)
	case Upload:
		h.Publish(ctx, op.N)
	case Arrived, Abandon:
		h.Settle(ctx, op.Kind == Arrived)
	case Ack:
		h.Acknowledge(ctx)
	case Sweep:
		h.Sweep(ctx)
	case Restart:
		a.restart(ctx)
	}
}

// restart goes on with a handle that knows nothing, as after an update of the
// app. Others may still use the old one.
func (a *actor) restart(ctx context.Context) {
	h, err := a.world.Open(ctx, a.name)
	if err != nil {
		a.world.unexpected(a.name+" starts again", err)
		return
	}
	a.handle = h
}
