package etcdtest

import (
	"crypto/rand"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
	"github.com/pawlkv/pawl/kv/kvtest"
)

// fewIDs lets IDs expire soon.
const fewIDs = 64

// slow is how long a call may take where three members share a machine with other tests.
const slow = 2 * time.Minute

// open returns a database of a cluster.
func open(t testing.TB, c *Cluster, options ...etcdkv.Option) *etcdkv.Database {
	t.Helper()
	return openAt(t, c.Endpoints(), options...)
}

func openAt(t testing.TB, endpoints []string, options ...etcdkv.Option) *etcdkv.Database {
	t.Helper()
	db, err := etcdkv.Open(t.Context(), clientv3.Config{Endpoints: endpoints}, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// storeOf opens a store.
func storeOf(t testing.TB, db *etcdkv.Database, space string) kv.Store {
	t.Helper()
	store, err := db.Store(t.Context(), space)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestConformance: the suite, on a cluster of three.
func TestConformance(t *testing.T) {
	Each(t, func(t *testing.T, server Server) {
		c := Start(t, server, 3)
		db := open(t, c, etcdkv.WithCommitIDs(fewIDs))
		fresh := func(t testing.TB) kv.Store { return storeOf(t, db, rand.Text()) }
		named := func(t testing.TB, dir string) kv.Store {
			return storeOf(t, open(t, c, etcdkv.WithCommitIDs(fewIDs)), dir)
		}
		options := []kvtest.Option{kvtest.CommitIDs(fewIDs), kvtest.Patience(slow)}
		t.Run("empty", func(t *testing.T) { kvtest.Run(t, fresh, options...) })
		if testing.Short() && server.Name != Newest().Name {
			return // the rest asks nothing more of a server
		}
		t.Run("reopened", func(t *testing.T) { kvtest.RunReopen(t, named, options...) })
		t.Run("shared", func(t *testing.T) { kvtest.RunShared(t, named, options...) })
	})
}

// openErr is open for what may fail.
func openErr(t testing.TB, c *Cluster, options ...etcdkv.Option) (*etcdkv.Database, error) {
	t.Helper()
	return etcdkv.Open(t.Context(), clientv3.Config{Endpoints: c.Endpoints()}, options...)
}
