package wire_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// TestSlowIsNotSilent: a server that takes much longer than the patience for a scan,
// a get or a commit, and answers pings meanwhile, is waited for.
func TestSlowIsNotSilent(t *testing.T) {
	const patience = 5 * time.Second
	for op, call := range map[faulty.Op]func(*wire.Client) error{
		faulty.Scan: func(c *wire.Client) error {
			for _, err := range c.Snapshot().Scan(background, "") {
				if err != nil {
					return err
				}
			}
			return nil
		},
		faulty.Get:    func(c *wire.Client) error { _, err := c.Snapshot().Get(background, "k"); return err },
		faulty.Commit: func(c *wire.Client) error { _, err := c.Commit(background, batch("k", "2")); return err },
	} {
		t.Run(string(op), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memkv.New()
				if _, err := store.Commit(background, batch("k", "1")); err != nil {
					t.Fatal(err)
				}
				slow := faulty.Wrap(store, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
					if c.Op == op {
						time.Sleep(20 * patience)
					}
					return nil
				}})
				server := wire.NewServer(wire.Service{Store: slow, Patience: patience})
				near, far := net.Pipe()
				go server.Serve(far)
				c, err := wire.Connect(background, near, wire.Settings{Patience: patience})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				if err := call(c); err != nil || time.Since(began) < 20*patience {
					t.Errorf("%v after %v", err, time.Since(began))
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				server.Close()
			})
		})
	}
}
