package workload

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/kv"
)

// process is one of Bob's, as the measuring program has it. One goroutine at a
// time uses it.
type process struct {
	name     string
	requests *gob.Encoder
	answers  *gob.Decoder
	input    io.Closer
	ended    func() error // waits for its end
}

// start starts a process. It is killed when the context ends.
func start(ctx context.Context, name string, c Config) (*process, error) {
	command := c.Process
	if command == nil {
		return startInside(ctx, name, c.share), nil
	}
	cmd := command(ctx)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	if cmd.Stderr == nil {
		cmd.Stderr = &said
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("workload: start the %s: %w", name, err)
	}
	ended := func() error {
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("workload: the %s: %w: %s", name, err, bytes.TrimSpace(said.Bytes()))
		}
		return nil
	}
	return &process{name, gob.NewEncoder(in), gob.NewDecoder(out), in, ended}, nil
}

// startInside starts one that runs in this process.
func startInside(ctx context.Context, name string, share sharer) *process {
	if share == nil {
		share = design.Design.Share
	}
	theirs, in := io.Pipe()
	out, ours := io.Pipe()
	failed := make(chan error, 1)
	go func() {
		err := serve(ctx, theirs, ours, share)
		theirs.CloseWithError(io.ErrClosedPipe)
		ours.CloseWithError(io.EOF)
		failed <- err
	}()
	return &process{name, gob.NewEncoder(in), gob.NewDecoder(out), in, func() error { return <-failed }}
}

// ask makes a request and returns the answer.
func (p *process) ask(q request) (answer, error) {
	var a answer
	if err := p.requests.Encode(q); err != nil {
		return a, p.gone(err)
	}
	if err := p.answers.Decode(&a); err != nil {
		return a, p.gone(err)
	}
	if a.TooLarge {
		return a, fmt.Errorf("workload: the %s: %w", p.name, kv.ErrTooLarge)
	}
	if a.Error != "" {
		return a, fmt.Errorf("workload: the %s: %s", p.name, a.Error)
	}
	return a, nil
}

// gone says why a process does not answer.
func (p *process) gone(err error) error {
	return fmt.Errorf("workload: the %s is gone: %w", p.name, errors.Join(err, p.end()))
}

// load gives a process calls to do.
func (p *process) load(calls []call) error {
	_, err := p.ask(request{Op: opLoad, Calls: calls, Workers: fanOut})
	return err
}

// do lets it do calls.
func (p *process) do(calls ...call) (answer, error) {
	if err := p.load(calls); err != nil {
		return answer{}, err
	}
	return p.ask(request{Op: opGo})
}

// exit lets the process close its store and end.
func (p *process) exit() error {
	_ = p.requests.Encode(request{Op: opExit}) // one that is gone says so when it is waited for
	return p.end()
}

// end waits for the end of the process. It may be called again.
func (p *process) end() error {
	if p.ended == nil {
		return nil
	}
	ended := p.ended
	p.ended = nil
	_ = p.input.Close()
	return ended()
}
