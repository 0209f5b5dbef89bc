package etcdtest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/matrix"
)

// device opens the account of alice in a store.
func device(t *testing.T, engine kv.Store) *pawl.Machine {
	t.Helper()
	store, err := pawl.Open(t.Context(), engine, pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	user, err := matrix.ParseUserID("@alice:example.org")
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.OpenOrCreate(t.Context(), user, "PHONE")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sends returns the error of a call that sends something.
func sends(t *testing.T, m *pawl.Machine) error {
	t.Helper()
	_, err := m.KeysForUpload(t.Context(), 1)
	return err
}

// TestRestoredIntoSameCluster: members whose data went back are seen by who was running,
// and by a host that remembers.
func TestRestoredIntoSameCluster(t *testing.T) {
	EachInFull(t, func(t *testing.T, server Server) {
		dir, marks := t.TempDir(), t.TempDir()
		c := StartIn(t, server, dir, 1)
		running := storeOf(t, open(t, c, etcdkv.WithWitnessDir(marks)), "alice")
		alice := device(t, running)
		if err := sends(t, alice); err != nil {
			t.Fatal(err)
		}
		data, backup := filepath.Join(dir, "m0"), filepath.Join(dir, "backup")
		c.Members[0].Kill()
		copyDir(t, backup, data)
		c.Members[0].Run(t)
		c.Await(t)
		mustPut(t, running, "later", "1")
		if err := sends(t, alice); err != nil {
			t.Fatal(err)
		}
		seen := head(t, running)

		c.Members[0].Kill()
		if err := os.RemoveAll(data); err != nil {
			t.Fatal(err)
		}
		copyDir(t, data, backup)
		c.Members[0].Run(t)
		c.Await(t)

		snap := running.Snapshot()
		defer snap.Close()
		if _, err := snap.Version(t.Context()); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("who was running reads: %v, want %v", err, kv.ErrUnusable)
		}
		b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k"}}}
		if _, err := running.Commit(t.Context(), b); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("who was running commits: %v, want %v", err, kv.ErrUnusable)
		}
		again := storeOf(t, open(t, c, etcdkv.WithWitnessDir(marks)), "alice")
		if get(t, again, "k").Exists() {
			t.Error("the commit of who was running was applied")
		}
		if now := head(t, again); now >= seen {
			t.Fatalf("version %d, which is not before %d", now, seen)
		}
		if err := sends(t, device(t, again)); !errors.Is(err, pawl.ErrNeedsRecovery) {
			t.Errorf("opened on a host that remembers: %v, want %v", err, pawl.ErrNeedsRecovery)
		}
	})
}

func copyDir(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// TestRestoredIntoAnotherCluster: a store whose keys are in another cluster is seen by its
// mark, on any host.
func TestRestoredIntoAnotherCluster(t *testing.T) {
	EachInFull(t, func(t *testing.T, server Server) {
		c, other := Start(t, server, 1), Start(t, server, 1)
		s := storeOf(t, open(t, c), "alice")
		if err := sends(t, device(t, s)); err != nil {
			t.Fatal(err)
		}
		from, to := c.Connect(t), other.Connect(t)
		all, err := from.Get(t.Context(), "alice\x00", clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortAscend))
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range all.Kvs {
			if _, err := to.Put(t.Context(), string(one.Key), string(one.Value)); err != nil {
				t.Fatal(err)
			}
		}
		moved := storeOf(t, open(t, other), "alice")
		if _, err := witness.Of(moved).Load(t.Context()); !errors.Is(err, witness.ErrCopied) {
			t.Errorf("the mark: %v, want %v", err, witness.ErrCopied)
		}
		if err := sends(t, device(t, moved)); !errors.Is(err, pawl.ErrNeedsRecovery) {
			t.Errorf("opened in another cluster: %v, want %v", err, pawl.ErrNeedsRecovery)
		}
	})
}
