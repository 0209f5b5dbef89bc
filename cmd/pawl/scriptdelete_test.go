package main

import (
	"context"
	"errors"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/matrix"
)

// cmdHalfDelete is "halfdelete STORE USER DEVICE": somebody begins to delete an account,
// and dies after the first commit.
func cmdHalfDelete(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: halfdelete STORE USER DEVICE")
	}
	ctx, p := context.Background(), placeIn(ts, args[0])
	key, err := keyfile.Read(p.keyFile())
	ts.Check(err)
	withEngine(ts, p, func(engine kv.Store) {
		dead, made := errors.New("dead"), 0
		dying := faulty.Wrap(engine, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
			if c.Op == faulty.Commit && len(c.Batch.Writes) > 0 {
				if made++; made > 1 {
					return dead
				}
			}
			return nil
		}})
		s, err := pawl.Open(ctx, dying, pawl.WithKey(key.Reveal()))
		ts.Check(err)
		if err := s.Delete(ctx, matrix.UserID(args[1]), matrix.DeviceID(args[2])); !errors.Is(err, dead) {
			ts.Fatalf("%v, want to die", err)
		}
	})
}
