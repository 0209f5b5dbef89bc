package workload

import (
	"context"
	"errors"
	"slices"
	"time"
)

// stage is where one system runs: its store, its processes, and what became of
// its messages.
type stage struct {
	*preparation
	system    System
	dir       string
	owner     *process // of the engine, where Bob's processes are its clients
	processes []*process
	ledger    *ledger
	server    *homeserver // of a whole client
	joined    int         // newcomers, of whom it had not heard
	number    uint64      // of the last message of a live workload
	day       *phone      // what runs at the moment, on a day
	outcomes  []outcome
	missing   string // why there are none
}

// outcome is what a run came to.
type outcome struct {
	messages  int
	took      time.Duration
	latencies []time.Duration // of calls
	used      reading         // by all processes
	resident  int64           // bytes, 0 if that cannot be told
	parallel  bool            // calls of a process overlap
}

// setUp gives a system its store, a copy of the template, and starts its
// processes.
func (s *stage) setUp(ctx context.Context, template string, processes int) error {
	if err := copyStore(s.dir, template); err != nil || s.missing != "" {
		return err
	}
	if others[s.system.Engine] != nil {
		if err := makeTemplate(ctx, s.system, s.dir, s.entries); err != nil {
			return err
		}
	}
	return s.startAll(ctx, processes)
}

// names of processes, of which the first two are those of a phone.
var names = []string{"app", "NSE"}

func (s *stage) startAll(ctx context.Context, n int) (err error) {
	if s.system.Engine == BadgerClient {
		if s.owner, err = s.start(ctx, "owner", ""); err != nil {
			return err
		}
	}
	for i := range n {
		name := "process " + string(rune('A'+i%26)) + string(rune('a'+i/26))
		if i < len(names) {
			name = names[i]
		}
		p, err := s.start(ctx, name, s.system.Design)
		if err != nil {
			return err
		}
		s.processes = append(s.processes, p)
	}
	return nil
}

// start starts a process and waits until it has opened the store.
func (s *stage) start(ctx context.Context, name, design string) (*process, error) {
	p, err := start(ctx, name, s.Config)
	if err != nil {
		return nil, err
	}
	o := opening{
		Engine: s.system.Engine, Dir: s.dir, Design: design, Process: name, Size: s.Params.Size, Acknowledge: s.Params.Acknowledge,
		Meter: s.Process != nil || len(s.processes) == 0 && design != "",
	}
	if s.system.Engine == Memory {
		o.Entries = s.entries
	}
	if _, err := p.ask(request{Op: opOpen, Open: o}); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

// stop ends all processes.
func (s *stage) stop() error {
	var failed []error
	for _, p := range s.processes {
		failed = append(failed, p.exit())
	}
	s.processes = nil
	if s.day != nil {
		failed = append(failed, s.day.stop())
	}
	if s.owner != nil {
		failed = append(failed, s.owner.exit())
		s.owner = nil
	}
	return errors.Join(failed...)
}

// running returns the processes that are there now.
func (s *stage) running() []*process {
	all := slices.Clone(s.processes)
	if s.owner != nil {
		all = append(all, s.owner)
	}
	if s.day != nil && s.day.app != nil {
		all = append(all, s.day.app)
	}
	return all
}
