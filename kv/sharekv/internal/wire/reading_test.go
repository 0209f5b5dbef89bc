package wire_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// TestIdleEnd: a client that waits for nothing notices the end of its
// connection, whether it has just read or not for a long time.
func TestIdleEnd(t *testing.T) {
	f := serve(t, wire.Service{Store: memkv.New()})
	fresh, used := f.client(t, wire.Settings{}), f.client(t, wire.Settings{})
	for range 3 {
		snapshot := used.Snapshot()
		if _, err := snapshot.Get(background, "k"); err != nil {
			t.Fatal(err)
		}
		snapshot.Close()
	}
	f.cut()
	in(t, "the end of an unused connection", fresh.Over())
	in(t, "the end of a used connection", used.Over())
}

// TestReaderLeaves: when the caller who reads waits no longer, another who
// waits reads on.
func TestReaderLeaves(t *testing.T) {
	store := memkv.New(memkv.WithTimer(forever))
	f := serve(t, wire.Service{Store: store})
	c := f.client(t, wire.Settings{})
	held := make(map[string]func())
	for _, key := range []string{"left", "waited for"} {
		turn, err := store.Turn(background, key)
		if err != nil {
			t.Fatal(err)
		}
		held[key] = turn.Release
	}
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	left, got := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.Turn(ctx, "left"); left <- err }()
	for start := time.Now(); time.Since(start) < short; { // it reads
		runtime.Gosched()
	}
	go func() { _, err := c.Turn(background, "waited for"); got <- err }()
	cancel()
	if err := in(t, "the end of a call that was taken back", left); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	held["waited for"]()
	if err := in(t, "the turn that was waited for", got); err != nil {
		t.Error(err)
	}
	held["left"]()
}
