package main

import (
	"context"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

// cmdMade is "made STORE USER DEVICE DAYS": a new store with a key file, whose
// account was made that many days ago.
func cmdMade(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: made STORE USER DEVICE DAYS")
	}
	days, err := strconv.Atoi(args[3])
	ts.Check(err)
	then := func() time.Time { return time.Now().AddDate(0, 0, -days) }
	p := placeIn(ts, args[0])
	withEngine(ts, p, func(engine kv.Store) {
		key, err := createKeyFile(p.keyFile())
		ts.Check(err)
		ctx := context.Background()
		s, err := pawl.Open(ctx, engine, pawl.WithKey(key.key.Reveal()), pawl.WithClock(then))
		ts.Check(err)
		_, err = s.Create(ctx, matrix.UserID(args[1]), matrix.DeviceID(args[2]))
		ts.Check(err)
	})
}
