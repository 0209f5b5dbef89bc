package wire_test

import (
	"context"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// stuck is a store that does not answer gets of one key before it is told to.
type stuck struct {
	kv.Store
	asked  chan struct{} // gets one for each such get
	answer chan struct{} // closed when they go on
}

type stuckSnapshot struct {
	kv.Snapshot
	stuck *stuck
}

func (s *stuck) Snapshot() kv.Snapshot { return stuckSnapshot{s.Store.Snapshot(), s} }

func (s stuckSnapshot) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	if len(keys) > 0 && keys[0] == "slow" {
		s.stuck.asked <- struct{}{}
		<-s.stuck.answer
	}
	return s.Snapshot.Get(ctx, keys...)
}

// TestSlowGets: gets that take long keep nothing else of their client's waiting,
// one after the other or not.
func TestSlowGets(t *testing.T) {
	const gets = 3
	store := &stuck{Store: memkv.New(), asked: make(chan struct{}), answer: make(chan struct{})}
	defer store.Store.Close()
	client := serve(t, wire.Service{Store: store}).client(t, wire.Settings{})
	ended := make(chan error, gets)
	for range gets {
		go func() {
			snapshot := client.Snapshot()
			defer snapshot.Close()
			_, err := snapshot.Get(background, "slow")
			ended <- err
		}()
		in(t, "a slow get", store.asked)
	}
	if _, err := client.Commit(background, batch("k", "v")); err != nil {
		t.Fatal(err)
	}
	snapshot := client.Snapshot()
	defer snapshot.Close()
	if entries, err := snapshot.Get(background, "k"); err != nil || string(entries[0].Value) != "v" {
		t.Errorf("get beside slow ones: %v, %v", entries, err)
	}
	close(store.answer)
	for range gets {
		if err := in(t, "the end of a slow get", ended); err != nil {
			t.Error(err)
		}
	}
}
