package bot

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Process is a client that runs.
type Process struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser

	mu      sync.Mutex
	changed chan struct{} // closed when something was said
	next    int
	answers map[int]Answer
	events  []Event
	ended   error // why nothing will be said any more
}

// Start starts a client's program. It is killed when ctx ends.
func Start(name string, cmd *exec.Cmd) (*Process, error) {
	p := &Process{name: name, cmd: cmd, changed: make(chan struct{}), answers: map[int]Answer{}}
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go p.listen(out)
	return p, nil
}

// line is an answer or an event.
type line struct {
	Answer
	Name      string `json:"event"`
	Room      string `json:"room"`
	Encrypted bool   `json:"encrypted"`
}

func (p *Process) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			continue // said by something that the client links
		}
		p.said(func() {
			if l.Name == "" {
				p.answers[l.ID] = l.Answer
				return
			}
			p.events = append(p.events, Event{l.Name, l.Room, l.Answer.Event, l.Sender, l.Body, l.Encrypted, l.Error, time.Now()})
		})
	}
	err := p.cmd.Wait()
	p.said(func() { p.ended = errors.Join(fmt.Errorf("%s has ended", p.name), err) })
}

func (p *Process) said(note func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	note()
	close(p.changed)
	p.changed = make(chan struct{})
}

// Do sends a command and waits for its answer. An answer that is not ok is an
// error.
func (p *Process) Do(ctx context.Context, c Command) (Answer, error) {
	p.mu.Lock()
	p.next++
	c.ID = p.next
	text, err := json.Marshal(c)
	if err == nil {
		_, err = p.in.Write(append(text, '\n'))
	}
	p.mu.Unlock()
	if errors.Is(err, os.ErrClosed) {
		err = p.gone() // which says how it ended
	}
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %s: %w", p.name, c.Name, err)
	}
	var a Answer
	err = p.until(ctx, func() (ok bool) { a, ok = p.answers[c.ID]; return ok })
	switch {
	case err != nil:
		return a, fmt.Errorf("%s: %s: %w", p.name, c.Name, err)
	case !a.OK:
		return a, fmt.Errorf("%s: %s: %s", p.name, c.Name, a.Error)
	}
	return a, nil
}

// Wait waits for an event.
func (p *Process) Wait(ctx context.Context, is func(Event) bool) (Event, error) {
	var found Event
	seen := 0
	err := p.until(ctx, func() bool {
		for ; seen < len(p.events); seen++ {
			if is(p.events[seen]) {
				found = p.events[seen]
				return true
			}
		}
		return false
	})
	if err != nil {
		err = fmt.Errorf("%s: %w; it said %+v", p.name, err, p.Events())
	}
	return found, err
}

// Events returns all that the client told so far.
func (p *Process) Events() []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Event{}, p.events...)
}

// until waits for a condition that is looked at under the lock.
func (p *Process) until(ctx context.Context, met func() bool) error {
	for {
		p.mu.Lock()
		done, ended, changed := met(), p.ended, p.changed
		p.mu.Unlock()
		switch {
		case done:
			return nil
		case ended != nil:
			return ended
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Kill ends the process at once, wherever it is.
func (p *Process) Kill() error {
	err := p.cmd.Process.Kill()
	return errors.Join(err, p.gone())
}

// Quit ends the process as a user does.
func (p *Process) Quit(ctx context.Context) error {
	_, err := p.Do(ctx, Command{Name: "quit"})
	return errors.Join(err, p.gone())
}

// gone waits until the process has ended.
func (p *Process) gone() error {
	return p.until(context.Background(), func() bool { return p.ended != nil })
}

// Signal sends a signal, as to stop the process where it is.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// PID is the process's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended returns why the process has ended, nil while it runs.
func (p *Process) Ended() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}
