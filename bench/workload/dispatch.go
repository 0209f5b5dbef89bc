package workload

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
)

func (l letter) incoming() pawl.Incoming {
	return pawl.Incoming{Sender: l.From, Message: ratchet.Message{Type: l.Type, Body: l.Body}}
}

func (b *bob) decrypt(ctx context.Context, l letter, a *answer) error {
	release, err := b.shared.Hold(ctx, design.Decrypting)
	if err != nil {
		return err
	}
	in := l.incoming()
	got, err := b.machine.Decrypt(ctx, in.Sender, in.Message)
	release()
	return b.note(l, got, err, a)
}

func (b *bob) decryptAll(ctx context.Context, letters []letter, a *answer) error {
	batch := make([]pawl.Incoming, len(letters))
	for i, l := range letters {
		batch[i] = l.incoming()
	}
	release, err := b.shared.Hold(ctx, design.Decrypting)
	if err != nil {
		return err
	}
	results, err := b.machine.DecryptBatch(ctx, batch)
	release()
	if err != nil {
		return err
	}
	for i, r := range results {
		if err := b.note(letters[i], r.Decrypted, r.Err, a); err != nil {
			return err
		}
	}
	return nil
}

// note tells what came of a letter. The error is not the design's.
func (b *bob) note(l letter, got pawl.Decrypted, err error, a *answer) error {
	switch {
	case err != nil && notOfDesign(err):
		return err
	case err != nil:
		a.Failed = append(a.Failed, failure{l.Number, l.From, saidOf(err)})
	case !bytes.Equal(got.Plaintext, text(l.Number, b.opening.Size)):
		a.Failed = append(a.Failed, failure{l.Number, l.From, "another plaintext than was sent"})
	case b.opening.Acknowledge > 0:
		b.receipts = append(b.receipts, got.Receipt)
	}
	return nil
}

// acknowledge does what a client does once it has stored some plaintexts. It is
// part of the call that made them enough.
func (b *bob) acknowledge(ctx context.Context) error {
	if len(b.receipts) == 0 || len(b.receipts) < b.opening.Acknowledge {
		return nil
	}
	err := b.machine.Acknowledge(ctx, b.receipts...)
	b.receipts = b.receipts[:0]
	return err
}

// encryptAll encrypts for all targets, several at a time.
func (b *bob) encryptAll(ctx context.Context, targets []target, a *answer) error {
	todo := make(chan target, len(targets))
	for _, t := range targets {
		todo <- t
	}
	close(todo)
	done := results{a: a}
	var workers sync.WaitGroup
	for range min(b.workers, len(targets)) {
		workers.Go(func() {
			for t := range todo {
				done.add(b.encrypt(ctx, t))
			}
		})
	}
	workers.Wait()
	return done.err
}

func (b *bob) encrypt(ctx context.Context, t target) (made, *failure, error) {
	release, err := b.shared.Hold(ctx, design.Encrypting)
	if err != nil {
		return made{}, nil, err
	}
	defer release()
	var options []pawl.EncryptOption
	if len(t.OneTimeKey) == len(ratchet.PublicKey{}) {
		options = append(options, pawl.WithOneTimeKey(ratchet.PublicKey(t.OneTimeKey)))
	}
	e, err := b.machine.Encrypt(ctx, t.Peer, text(t.Number, b.opening.Size), options...)
	if err != nil && notOfDesign(err) {
		return made{}, nil, err
	}
	if err != nil {
		return made{}, &failure{t.Number, t.Peer, saidOf(err)}, nil
	}
	return made{t.Number, t.Peer, e.Session, e.Message.Type, e.Message.Body}, nil, nil
}

// saidOf is what an error says without the names in it, so that the same is said of
// every peer.
func saidOf(err error) string {
	var u *pawl.UndecryptableError
	if errors.As(err, &u) {
		err = u.Err
	}
	return err.Error()
}

// notOfDesign reports whether an error says nothing of the design: the run is
// void then.
func notOfDesign(err error) bool {
	for _, e := range []error{
		context.Canceled, context.DeadlineExceeded, kv.ErrClosed, kv.ErrDiskFull, kv.ErrInUse,
		kv.ErrUnavailable, kv.ErrUnknown, kv.ErrTooLarge, kv.ErrConflict,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
