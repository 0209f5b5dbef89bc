package demo

import (
	"context"
	"fmt"
	"os/exec"
	"sync/atomic"
)

// maxTries is how often a process is asked the same when it may be asked again.
const maxTries = 5

// process is one of Bob's, through all of its lives. One goroutine uses it;
// others may get at its life meanwhile.
type process struct {
	name    string
	command func(context.Context) *exec.Cmd
	open    request
	current atomic.Pointer[life]
}

// life returns the latest life, nil before the first.
func (p *process) life() *life { return p.current.Load() }

// start starts the process and waits until it has opened the store.
func (p *process) start(ctx context.Context) error {
	l, err := begin(ctx, p.name, p.command)
	if err != nil {
		return err
	}
	p.current.Store(l)
	_, err = p.must(p.open)
	return err
}

// restart starts the process again, after it was killed or else told to exit.
func (p *process) restart(ctx context.Context) error {
	if l := p.life(); l.doomed.Load() {
		l.bury()
	} else if err := l.exit(); err != nil {
		return err
	}
	return p.start(ctx)
}

// ask calls the process, again while it says that it may be. Errors: errGone,
// and what says nothing of the design.
func (p *process) ask(q request) (answer, error) {
	retries := 0
	for try := 1; ; try++ {
		a, err := p.life().call(q)
		if err != nil {
			return a, err
		}
		retries += a.Retries
		switch {
		case a.Again && try < maxTries:
			retries++
		case a.Again, a.Fatal:
			return a, p.failed(q, a)
		default:
			a.Retries = retries
			return a, nil
		}
	}
}

// must is ask for what no design may fail at.
func (p *process) must(q request) (answer, error) {
	a, err := p.ask(q)
	if err == nil && a.Error != "" {
		err = p.failed(q, a)
	}
	return a, err
}

func (p *process) failed(q request, a answer) error {
	return fmt.Errorf("demo: the %s: %s: %s", p.name, q.Op, a.Error)
}
