package demo

import (
	"context"
	"errors"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
)

const aliceUser, aliceDevice = "@alice:example.org", "LAPTOP"

// alice is the peer: one process, with a store of her own.
type alice struct {
	*pawl.Machine
	engine kv.Store
	id     ratchet.PublicKey
	bob    ratchet.PublicKey
}

func newAlice(ctx context.Context) (*alice, error) {
	a := &alice{engine: memkv.New()}
	store, err := pawl.Open(ctx, a.engine, pawl.WithKey([32]byte{}))
	if err != nil {
		return nil, errors.Join(err, a.engine.Close())
	}
	if a.Machine, err = store.Create(ctx, aliceUser, aliceDevice); err != nil {
		return nil, errors.Join(err, a.engine.Close())
	}
	id, err := a.Identity(ctx)
	a.id = id.Curve25519
	return a, err
}

// write encrypts for Bob, in a new session if a one-time key of his is given.
func (a *alice) write(ctx context.Context, payload []byte, oneTimeKey *ratchet.PublicKey) (pawl.Encrypted, error) {
	if oneTimeKey == nil {
		return a.Encrypt(ctx, a.bob, payload)
	}
	return a.Encrypt(ctx, a.bob, payload, pawl.WithOneTimeKey(*oneTimeKey))
}
