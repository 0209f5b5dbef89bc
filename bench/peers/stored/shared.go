package stored

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/ratchet"
)

// rounds of a story; in each, either process gets a message and writes one.
const rounds = 20

// story is two processes on Bob's store, and Alice.
type story struct {
	alice     *Alice
	processes [2]*process
	late      []Ciphertext    // what Bob wrote and Alice has not got yet
	used      map[slot]string // what left under a message key
	written   int
	wrong     result.Wrong
	errors    map[string]bool
}

// slot names a message key.
type slot struct {
	chain ratchet.PublicKey
	index uint32
}

// shared is the correctness run.
func (s System) shared(ctx context.Context, t peer.Task, h Holder) (o peer.Outcome, err error) {
	y, err := s.begin(ctx, t.Dir)
	if err != nil {
		return o, err
	}
	for i := range y.processes {
		if y.processes[i], err = hold(ctx, h, s.Name, t.Dir); err != nil {
			return o, err
		}
		defer func() { _ = y.processes[i].in.Close() }()
	}
	n := max((t.Messages+1)/2, 1)
	meter := peer.NewMeter(n)
	for range n {
		if err := meter.Call(func() error { return y.round(ctx) }); err != nil {
			return o, err
		}
	}
	o = meter.Stop(4 * n)
	if err := errors.Join(y.processes[0].end(), y.processes[1].end()); err != nil {
		return o, err
	}
	if err := y.epilogue(ctx, s, t.Dir, h); err != nil {
		return o, err
	}
	o.Wrong = y.wrong
	for what := range y.errors {
		o.Notes = append(o.Notes, what)
	}
	return o, nil
}

// begin prepares Bob's store: he has answered Alice, who has not got it yet.
func (s System) begin(ctx context.Context, dir string) (y *story, err error) {
	bob, alice, err := s.acquainted(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bob.Close()) }()
	event, err := alice.Event(ctx, peer.Note, peer.RoomKey{})
	if err != nil {
		return nil, err
	}
	if err := give(ctx, bob, event); err != nil {
		return nil, err
	}
	answer, err := write(ctx, bob, alice.Device(), "on its way")
	if err != nil {
		return nil, err
	}
	y = &story{alice: alice, used: map[slot]string{}, errors: map[string]bool{}}
	return y, y.see(answer)
}

func (y *story) round(ctx context.Context) error {
	for i := range y.processes {
		if err := y.receive(ctx, y.processes[i], y.processes[1-i]); err != nil {
			return err
		}
	}
	for _, p := range y.processes {
		if err := y.send(p); err != nil {
			return err
		}
	}
	y.catchUp(ctx)
	return nil
}

// receive gives a message to a process, and if it cannot read it, to the other.
func (y *story) receive(ctx context.Context, first, second *process) error {
	event, err := y.alice.Event(ctx, peer.Note, peer.RoomKey{})
	if err != nil {
		return err
	}
	for _, p := range []*process{first, second} {
		if read, err := y.give(p, event); read || err != nil {
			return err
		}
	}
	y.wrong.Lost++
	return nil
}

func (y *story) give(p *process, event json.RawMessage) (bool, error) {
	a, err := p.ask(order{Read: event})
	y.note(a)
	return a.Read, err
}

// send makes a process write to Alice.
func (y *story) send(p *process) error {
	to := y.alice.Device()
	y.written++ // no two texts are the same: one key would make one ciphertext of them
	a, err := p.ask(order{To: &to, Text: fmt.Sprint("note ", y.written)})
	if err != nil {
		return err
	}
	y.note(a)
	if a.Wrote == nil {
		y.wrong.Lost++
		return nil
	}
	return y.see(*a.Wrote)
}

// catchUp gives Alice what Bob wrote.
func (y *story) catchUp(ctx context.Context) {
	for _, c := range y.late {
		if err := y.alice.Read(ctx, c); err != nil {
			y.errors["Alice: "+err.Error()] = true
			y.wrong.Lost++
		}
	}
	y.late = nil
}

// see counts a ciphertext whose message key another one left under.
func (y *story) see(c Ciphertext) error {
	m, err := c.Message()
	if err != nil {
		return err
	}
	normal, err := normalOf(m)
	if err != nil {
		return fmt.Errorf("a ciphertext that cannot be parsed: %w", err)
	}
	at := slot{normal.RatchetKey, normal.Index}
	if before, used := y.used[at]; used && before != c.Body {
		y.wrong.Reused++
	}
	y.used[at] = c.Body
	y.late = append(y.late, c)
	return nil
}

func normalOf(m ratchet.Message) (ratchet.NormalMessage, error) {
	if m.Type == ratchet.PreKey {
		p, err := ratchet.ParsePreKeyMessage(m.Body)
		return p.Normal, err
	}
	return ratchet.ParseNormalMessage(m.Body)
}

func (y *story) note(a answer) {
	if a.Error != "" {
		y.errors["Bob: "+a.Error] = true
	}
}

// epilogue: a new process reads one more message and writes one. If either
// fails, the session is wedged. What it loses is not counted again.
func (y *story) epilogue(ctx context.Context, s System, dir string, h Holder) error {
	p, err := hold(ctx, h, s.Name, dir)
	if err != nil {
		return err
	}
	lost := y.wrong.Lost
	event, err := y.alice.Event(ctx, peer.Note, peer.RoomKey{})
	if err != nil {
		return err
	}
	read, err := y.give(p, event)
	if err != nil {
		return err
	}
	if err := y.send(p); err != nil {
		return err
	}
	y.catchUp(ctx)
	if !read || y.wrong.Lost > lost {
		y.wrong.Wedged++
	}
	y.wrong.Lost = lost
	return p.end()
}
