package stored

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Holder makes the command of a process that runs Hold on a system's store.
type Holder func(ctx context.Context, system, dir string) *exec.Cmd

// order is a line to a process that holds a store: to read or to write.
type order struct {
	Read json.RawMessage `json:"read,omitempty"` // an event
	To   *Device         `json:"to,omitempty"`   // whom to write Text to
	Text string          `json:"text,omitempty"`
}

// answer is a line back.
type answer struct {
	Read  bool        `json:"read,omitempty"` // the event was decrypted
	Wrote *Ciphertext `json:"wrote,omitempty"`
	Error string      `json:"error,omitempty"`
}

// Hold opens a system's store and does what the lines of r say, until they end.
func (s System) Hold(ctx context.Context, dir string, r io.Reader, w io.Writer) (err error) {
	bob, err := s.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bob.Close()) }()
	out := json.NewEncoder(w)
	for in := json.NewDecoder(r); ; {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := out.Encode(obey(ctx, bob, o)); err != nil {
			return err
		}
	}
}

func obey(ctx context.Context, bob Bob, o order) (a answer) {
	var err error
	if o.To != nil {
		var c Ciphertext
		if c, err = write(ctx, bob, *o.To, o.Text); err == nil {
			a.Wrote = &c
		}
	} else {
		a.Read, err = reads(ctx, bob, o.Read)
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

// reads tells whether an event was decrypted, which is whether the store
// remembers one message more.
func reads(ctx context.Context, bob Bob, event json.RawMessage) (bool, error) {
	before, err := bob.Kept(ctx)
	if err != nil {
		return false, err
	}
	if err := give(ctx, bob, event); err != nil {
		return false, err
	}
	after, err := bob.Kept(ctx)
	return after.Messages == before.Messages+1, err
}

// process is one that holds a store.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func hold(ctx context.Context, h Holder, system, dir string) (*process, error) {
	p := &process{cmd: h(ctx, system, dir)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewScanner(out)
	return p, p.cmd.Start()
}

func (p *process) ask(o order) (answer, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return answer{}, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return answer{}, err
	}
	if !p.out.Scan() {
		return answer{}, fmt.Errorf("the process that holds the store is gone: %w", errors.Join(p.out.Err(), io.ErrUnexpectedEOF))
	}
	var a answer
	return a, json.Unmarshal(p.out.Bytes(), &a)
}

// end closes the process's store and waits.
func (p *process) end() error {
	return errors.Join(p.in.Close(), p.cmd.Wait())
}
