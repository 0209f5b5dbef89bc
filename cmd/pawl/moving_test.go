package main

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
)

// TestMoveThatIsRefused: where accounts certainly were not retired nothing is left of
// the copy, which nobody would ever finish; where nobody knows, it stays, for they may
// name it.
func TestMoveThatIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		fails error
		left  int
	}{
		"rights are missing":  {kv.ErrUnusable, 0},
		"the disk is full":    {kv.ErrDiskFull, 0},
		"too many entries":    {kv.ErrTooLarge, 0},
		"nobody knows so far": {kv.ErrUndecided, 1},
	} {
		t.Run(name, func(t *testing.T) {
			retiring := false
			engine := faulty.Wrap(memkv.New(), faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
				if retiring && call.Op == faulty.Commit && len(call.Batch.Writes) > 0 {
					return c.fails
				}
				return nil
			}})
			defer engine.Close()
			s, err := pawl.Open(t.Context(), engine, pawl.WithKey([32]byte{1}))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Create(t.Context(), "@alice:example.org", "PHONE"); err != nil {
				t.Fatal(err)
			}
			retiring = true
			to := filepath.Join(t.TempDir(), "new.db")
			m := &moving{opened: &opened{Store: s, engine: engine}, to: place{sqlite: true, path: to}}
			if _, err := m.run(t.Context()); !errors.Is(err, c.fails) {
				t.Errorf("it fails with %v, want %v", err, c.fails)
			}
			moved, err := filepath.Glob(to + movedInfix + "*")
			copies := 0
			for _, name := range moved {
				if copyName.MatchString(name) {
					copies++
				}
			}
			if err != nil || copies != c.left || c.left == 0 && len(moved) > 0 {
				t.Errorf("it leaves %q, want %d copies", moved, c.left)
			}
		})
	}
}

// TestServerThatIsSilent: whoever is told to end does not wait for a server first, and
// says so.
func TestServerThatIsSilent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, url := range []string{"postgres://" + silent.Addr().String() + "/db?space=s", "etcd://" + silent.Addr().String() + "/s"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := mustPlace(t, url).require(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want that the command was interrupted", url, err)
		}
	}
}
