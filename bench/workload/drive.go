package workload

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
)

// fanOut is how many of Bob's goroutines encrypt at once for many peers.
const fanOut = 16

// runScripts lets each process do its own calls, all at once.
func runScripts(_ context.Context, s *stage, b block) (outcome, error) {
	for i, p := range s.processes {
		if err := p.load(b.scripts[i]); err != nil {
			return outcome{}, err
		}
	}
	return s.measured(b, func(t *tally) error {
		answers := make([]answer, len(s.processes))
		var all errgroup.Group
		for i, p := range s.processes {
			all.Go(func() (err error) {
				answers[i], err = p.ask(request{Op: opGo})
				return err
			})
		}
		if err := all.Wait(); err != nil {
			return err
		}
		for _, a := range answers {
			t.add(a.Sample)
			s.ledger.enter(a)
		}
		t.parallel = len(b.scripts[0]) > 0 && len(b.scripts[0][0].Targets) > 1
		return nil
	})
}

func runProcesses(ctx context.Context, s *stage, b block) (outcome, error) {
	if len(b.shared) == 0 {
		return runScripts(ctx, s, b)
	}
	return runShared(ctx, s, b)
}

// ahead is how far processes may be ahead of each other in what they share. A
// session keeps the keys of 40 messages that were passed over.
const ahead = 30

// runShared deals the calls to the processes as they come to ask for more.
func runShared(_ context.Context, s *stage, b block) (outcome, error) {
	for _, p := range s.processes {
		if err := p.load(b.shared); err != nil {
			return outcome{}, err
		}
	}
	return s.measured(b, func(t *tally) error {
		d := newDealer(len(b.shared))
		var mu sync.Mutex
		var all answer
		var working errgroup.Group
		for _, p := range s.processes {
			working.Go(func() error {
				defer d.stop()
				for n := range d.deal() {
					a, err := p.ask(request{Op: opGo, One: n + 1})
					if err != nil {
						return err
					}
					d.done(n)
					mu.Lock()
					t.add(a.Sample)
					all.Made, all.Failed = append(all.Made, a.Made...), append(all.Failed, a.Failed...)
					mu.Unlock()
				}
				return nil
			})
		}
		err := working.Wait()
		s.ledger.enter(all)
		return err
	})
}
