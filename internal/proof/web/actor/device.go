//go:build js

package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/internal/proof/remote"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

// The device that an actor may have in its store.
const (
	user   = "@alice:example.org"
	device = "DEVICE"
)

// key is the one of all stores here.
var key [32]byte

// openDevice opens Pawl on the store, with a witness on the test's server or, if the first
// argument is "blind", without, and the device. A store that has none says no_account. If
// the second is "stale", what was read is kept, and nothing looks whether it still holds.
func (a *actor) openDevice(ctx context.Context, args []string) (string, error) {
	options := []pawl.Option{pawl.WithKey(key)}
	if args[0] != "blind" {
		options = append(options, pawl.WithWitness(onServer{}))
	}
	var (
		store kv.Store = a.store
		err   error
	)
	if len(args) > 1 && args[1] == "stale" {
		store = design.NewStale(store)
	}
	if a.pawl, err = pawl.Open(ctx, store, options...); err != nil {
		return "", err
	}
	if a.machine, err = a.pawl.Machine(ctx, user, device); err != nil {
		return "", err
	}
	a.here, err = remote.Find(ctx, a.store, a.pawl, user, device)
	return "", err
}

func (a *actor) createDevice(ctx context.Context, _ []string) (_ string, err error) {
	if a.machine, err = a.pawl.Create(ctx, user, device); err != nil {
		return "", err
	}
	a.here, err = remote.Find(ctx, a.store, a.pawl, user, device)
	return "", err
}

// upload makes keys to upload, which a store that went back in time refuses.
func (a *actor) upload(ctx context.Context, _ []string) (string, error) {
	u, err := a.machine.KeysForUpload(ctx, 1)
	if err == nil {
		err = a.machine.MarkPublished(ctx, u)
	}
	return "", err
}

// why says why the device must be recovered, nothing if it need not.
func (a *actor) why(ctx context.Context, _ []string) (string, error) {
	why, needed, err := a.machine.NeedsRecovery(ctx)
	if err != nil || !needed {
		return "", err
	}
	return why.Cause.String(), nil
}

func (a *actor) recover(ctx context.Context, _ []string) (string, error) {
	_, err := a.machine.Recover(ctx)
	return "", err
}

// call makes a call of the device.
func (a *actor) call(ctx context.Context, args []string) (string, error) {
	var c remote.Call
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return "", err
	}
	said, err := json.Marshal(a.here.Answer(ctx, c))
	return string(said), err
}

// onServer is a witness on the server of the test, as a client has one on its own.
type onServer struct{}

// noted is what the server keeps: a mark, if there is any.
type noted struct {
	Any  bool
	Mark witness.Mark
}

func (onServer) Load(context.Context) (witness.Mark, error) {
	var n noted
	if err := exchange("/witness", "load", nil, &n); err != nil {
		return witness.Mark{}, err
	}
	if !n.Any {
		return witness.Mark{}, witness.ErrNone
	}
	return n.Mark, nil
}

// Save asks what is there first: there is one actor at a time.
func (w onServer) Save(ctx context.Context, m witness.Mark) error {
	old, err := w.Load(ctx)
	if err != nil && !errors.Is(err, witness.ErrNone) {
		return err
	}
	if err == nil && !m.Supersedes(old) {
		return nil
	}
	return exchange("/witness", "save", noted{true, m}, nil)
}
