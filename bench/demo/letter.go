package demo

import (
	"bytes"
	"context"
	"errors"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
)

// delivery is what came of a letter.
type delivery struct {
	answer    answer // of Bob's process
	lost      string // why, if it was
	disturbed bool   // the process was killed or stopped meanwhile
}

// Loss is a message that its receiver did not get, or that was not made.
type Loss struct {
	Round   int      `json:"round"`
	Process string   `json:"process"` // Bob's, "app" or "NSE"
	ToBob   bool     `json:"to_bob"`
	Error   string   `json:"error"`
	Why     []string `json:"why"` // lines
}

// carry brings a letter from its writer to its reader. An error says nothing of
// the design.
func (g *game) carry(ctx context.Context, p *process, l letter, oneTimeKey *ratchet.PublicKey) (delivery, error) {
	if l.toBob {
		return g.toBob(ctx, p, l, oneTimeKey)
	}
	return g.toAlice(ctx, p, l)
}

func (g *game) toBob(ctx context.Context, p *process, l letter, oneTimeKey *ratchet.PublicKey) (delivery, error) {
	made, err := g.alice.write(ctx, l.payload, oneTimeKey)
	if err == nil {
		err = g.oracle.see(made)
	}
	if err != nil {
		return delivery{}, err
	}
	a, err := g.ask(ctx, p, request{Op: opDecrypt, Peer: g.alice.id.String(), Type: made.Message.Type, Body: made.Message.Body})
	return arrived(a, err, a.Body, l)
}

func (g *game) toAlice(ctx context.Context, p *process, l letter) (delivery, error) {
	a, err := g.ask(ctx, p, request{Op: opEncrypt, Peer: g.alice.id.String(), Body: l.payload})
	if err != nil || a.Error != "" {
		return delivery{answer: a, lost: a.Error}, err
	}
	made := pawl.Encrypted{Message: ratchet.Message{Type: a.Type, Body: a.Body}}
	copy(made.Session[:], a.Session)
	if err := g.oracle.see(made); err != nil {
		return delivery{}, err
	}
	got, err := g.alice.Decrypt(ctx, g.alice.bob, made.Message)
	if err != nil && !fatal(err) {
		return delivery{answer: a, lost: plain(err)}, nil
	}
	return arrived(a, err, got.Plaintext, l)
}

// arrived compares what was read with what was written.
func arrived(a answer, err error, text []byte, l letter) (delivery, error) {
	d := delivery{answer: a, lost: a.Error}
	if err == nil && d.lost == "" && !bytes.Equal(text, l.payload) {
		d.lost = "it decrypts to something else"
	}
	return d, err
}

// ask asks a process. If it is killed meanwhile it is started again and asked
// again: the server delivers what was not acknowledged, and the user writes
// what was not sent.
func (g *game) ask(ctx context.Context, p *process, q request) (answer, error) {
	a, err := p.ask(q)
	if !errors.Is(err, errGone) {
		return a, err
	}
	if err := p.restart(ctx); err != nil {
		return a, err
	}
	return p.ask(q)
}
