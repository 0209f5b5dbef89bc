//go:build unix

package processes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl/internal/proof/remote"
	"github.com/pawlkv/pawl/internal/proof/story"
)

// Process is one that was started. Its methods may be called from any number of
// goroutines; those of story.Device ask it, and wait until it answers or is gone. A call
// has the deadline of the Setup, and not that of its context.
type Process struct {
	remote.Device
	Name string

	cmd     *exec.Cmd
	stdin   io.Closer
	stderr  complaint
	moments chan Moment
	owner   atomic.Bool
	refused atomic.Int64
	doomed  atomic.Bool   // killed on purpose
	heard   chan struct{} // closed when all that it said was heard
	bury    func() error
	leisure atomic.Bool

	mu       sync.Mutex // of what is below, and of writing requests
	requests *json.Encoder
	last     uint64
	waiting  map[uint64]chan answer
	ended    bool
}

var _ story.Device = (*Process)(nil)

// Patience is how long anything that is asked of a process may take. Machines
// may be slow and busy: it says that nothing hangs, not how fast it is.
const Patience = 5 * time.Minute

// Start starts a process and lets it open the store. If it cannot, the process
// is gone and the error is of opening.
func Start(name string, setup Setup) (*Process, error) {
	return StartBy((*exec.Cmd).Start, name, setup)
}

// StartBy is Start of a process that start starts, on another host perhaps, or as another
// program.
func StartBy(start func(*exec.Cmd) error, name string, setup Setup) (*Process, error) {
	p, err := BeginBy(start, name)
	if err != nil {
		return nil, err
	}
	if err := p.Open(setup); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return p, nil
}

// Begin starts a process that has nothing open.
func Begin(name string) (*Process, error) { return BeginBy((*exec.Cmd).Start, name) }

// BeginBy is Begin of a process that start starts.
func BeginBy(start func(*exec.Cmd) error, name string) (*Process, error) {
	p := &Process{
		Name: name, cmd: exec.Command(os.Args[0]),
		moments: make(chan Moment, 1<<12), heard: make(chan struct{}), waiting: map[uint64]chan answer{},
	}
	// The race detector would have each process wait a second before it exits.
	p.cmd.Env = append(os.Environ(), environment+"="+name, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	p.cmd.Stderr = &p.stderr
	p.Ask = p.call
	p.bury = sync.OnceValue(p.wait)
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdin, p.requests = stdin, json.NewEncoder(stdin)
	if err := start(p.cmd); err != nil {
		return nil, fmt.Errorf("processes: start %s: %w", name, err)
	}
	go p.receive(stdout)
	return p, nil
}

// receive takes all that the process says, also what it said before it was killed.
func (p *Process) receive(r io.Reader) {
	defer close(p.heard)
	for answers := json.NewDecoder(r); ; {
		var a answer
		if answers.Decode(&a) != nil {
			break
		}
		if a.Number == 0 {
			select {
			case p.moments <- a.Moment:
			default: // nobody listens
			}
			continue
		}
		p.owner.Store(a.Owner)
		if a.refused() {
			p.refused.Add(1)
		}
		p.mu.Lock()
		p.waiting[a.Number] <- a
		delete(p.waiting, a.Number)
		p.mu.Unlock()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for _, one := range p.waiting {
		close(one)
	}
}

// ask asks the process and waits for its answer.
func (p *Process) ask(q request) (answer, error) {
	got, err := p.send(q)
	if err != nil {
		return answer{}, err
	}
	select {
	case a, answered := <-got:
		if !answered {
			return answer{}, p.gone()
		}
		return a, nil
	case <-time.After(Patience):
		return answer{}, fmt.Errorf("processes: %s has not answered %s for %v", p.Name, q, Patience)
	}
}

// call is the Ask of the device.
func (p *Process) call(_ context.Context, c remote.Call) (remote.Answer, error) {
	a, err := p.ask(request{Call: &c})
	return a.Answer, err
}

// demand asks for what has no result.
func (p *Process) demand(q request) error {
	a, err := p.ask(q)
	return errors.Join(err, a.Failed.Err())
}

func (p *Process) send(q request) (chan answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil, p.gone()
	}
	p.last++
	q.Number, q.Leisure = p.last, p.leisure.Load()
	got := make(chan answer, 1)
	p.waiting[q.Number] = got
	_ = p.requests.Encode(q) // if it fails the process has ended, which receive finds out
	return got, nil
}

// gone is the error of a call that the process did not live to answer.
func (p *Process) gone() error {
	if p.doomed.Load() {
		return ErrGone
	}
	return fmt.Errorf("processes: %s has ended by itself: %w", p.Name, p.bury())
}

// Open lets the process open the store.
func (p *Process) Open(setup Setup) error {
	return p.demand(request{Open: &setup})
}

// SetLeisure lets the calls that begin from now on take as long as they need, instead of
// having the deadline of the Setup, or gives them the deadline again.
func (p *Process) SetLeisure(leisure bool) { p.leisure.Store(leisure) }

// Owner reports whether the process owned the store when it last said something.
func (p *Process) Owner() bool { return p.owner.Load() }

// Refused returns how many calls have failed with kv.ErrUnavailable or
// kv.ErrUnknown.
func (p *Process) Refused() int { return int(p.refused.Load()) }

// Watch makes the process say when its next commit comes to a moment.
func (p *Process) Watch(at Moment) error {
	return p.demand(request{Watch: at})
}

// Await returns the first of some processes that says that it is at a moment.
func Await(at Moment, among ...*Process) (*Process, error) {
	for late := time.Now().Add(Patience); time.Now().Before(late); {
		for _, p := range among {
			select {
			case m := <-p.moments:
				if m == at {
					return p, nil
				}
			case <-p.heard:
				return nil, p.gone()
			case <-time.After(time.Millisecond):
			}
		}
	}
	return nil, fmt.Errorf("processes: none of %d is %s after %v", len(among), at, Patience)
}

// Forget forgets what the process has said of its moments so far.
func (p *Process) Forget() {
	for {
		select {
		case <-p.moments:
		default:
			return
		}
	}
}
