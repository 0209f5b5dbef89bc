package etcdtest

import (
	"context"
	"errors"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/kv"
)

// compact forgets all history of a cluster.
func compact(t *testing.T, client *clientv3.Client) {
	t.Helper()
	now, err := client.Get(t.Context(), "nothing")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Compact(t.Context(), now.Header.Revision); err != nil {
		t.Fatal(err)
	}
}

// TestCompaction: a view that etcd has compacted is gone, and a watch from a version that
// it has compacted begins with a resync mark and goes on after it.
func TestCompaction(t *testing.T) {
	Each(t, func(t *testing.T, server Server) {
		c := Start(t, server, 1)
		s, client := storeOf(t, open(t, c), "alice"), c.Connect(t)
		old := mustPut(t, s, "k", "1")
		mustPut(t, s, "gone", "1")
		snap := s.Snapshot()
		defer snap.Close()
		if _, err := snap.Get(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(old), Writes: []kv.Write{{Key: "gone", Delete: true}}}); err != nil {
			t.Fatal(err)
		}
		last := mustPut(t, s, "k", "2")
		compact(t, client)

		if _, err := snap.Get(t.Context(), "k"); !errors.Is(err, kv.ErrConflict) {
			t.Errorf("a compacted view: %v, want %v", err, kv.ErrConflict)
		}
		for _, err := range snap.Scan(t.Context(), "") {
			if !errors.Is(err, kv.ErrConflict) {
				t.Errorf("a scan of a compacted view: %v, want %v", err, kv.ErrConflict)
			}
		}
		marked := watchUntil(t, s, old, func(change kv.Change) bool { return change.Resync })
		if marked.Head != last {
			t.Errorf("a resync mark with head %d, want %d", marked.Head, last)
		}
		next := mustPut(t, s, "k", "3")
		if told := watchUntil(t, s, last, func(change kv.Change) bool { return change.Key == "k" }); told.Version != next {
			t.Errorf("told of version %d after the compaction, want %d", told.Version, next)
		}
	})
}

// watchUntil watches all keys after a version until a change is one that is waited for.
func watchUntil(t *testing.T, s kv.Store, after kv.Version, is func(kv.Change) bool) kv.Change {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for change, err := range s.Watch(ctx, "", after) {
		if err != nil {
			t.Fatal(err)
		}
		if is(change) {
			return change
		}
	}
	t.Fatal("the watch ended")
	return kv.Change{}
}
