package etcdtest

import (
	"context"
	"errors"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
)

const (
	rootPassword = "the root's secret"
	appPassword  = "the app's secret"
)

// withUsers makes a cluster demand users: root, and app with the rights that docs/etcd.md
// lists for a store.
func withUsers(t *testing.T, c *Cluster, store string) {
	t.Helper()
	client, ctx := c.Connect(t), t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(client.UserAdd(ctx, "root", rootPassword))
	must(client.UserGrantRole(ctx, "root", "root"))
	must(client.RoleAdd(ctx, "store"))
	must(client.RoleGrantPermission(ctx, "store", store, clientv3.GetPrefixRangeEnd(store), clientv3.PermissionType(clientv3.PermReadWrite)))
	must(client.UserAdd(ctx, "app", appPassword))
	must(client.UserGrantRole(ctx, "app", "store"))
	must(client.AuthEnable(ctx))
}

func as(t *testing.T, c *Cluster, user, password string) (*etcdkv.Database, error) {
	t.Helper()
	db, err := etcdkv.Open(t.Context(), clientv3.Config{Endpoints: c.Endpoints(), Username: user, Password: password})
	if err == nil {
		t.Cleanup(func() { db.Close() })
	}
	return db, err
}

// TestUsers: the rights that are listed are enough, and no other store is read with them;
// what a member has forgotten of who somebody is, is told it again.
func TestUsers(t *testing.T) {
	Each(t, func(t *testing.T, server Server) {
		c := Start(t, server, 1)
		withUsers(t, c, "alice/")
		db, err := as(t, c, "app", appPassword)
		if err != nil {
			t.Fatal(err)
		}
		s := storeOf(t, db, "alice/PHONE")
		first := mustPut(t, s, "k", "1")
		turn, err := s.Turn(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		turn.Release()
		last := mustPut(t, s, "k", "2")
		if told := watchUntil(t, s, first, func(kv.Change) bool { return true }); told.Version != last {
			t.Errorf("a watch tells of version %d, want %d", told.Version, last)
		}
		if _, err := db.Store(t.Context(), "bob/PHONE"); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("another's store: %v, want %v", err, kv.ErrUnusable)
		}
		m := c.Members[0]
		for before := m.commits(t); m.commits(t) < before+2; { // or it would know the token again from its log
			mustPut(t, s, "k", "3")
		}
		m.Kill()
		m.Run(t)
		await(t, func(ctx context.Context) bool { // it answers again
			snap := s.Snapshot()
			defer snap.Close()
			_, err := snap.Version(ctx)
			return ctx.Err() == nil && !errors.Is(err, kv.ErrUnavailable)
		})
		if _, _, err := put(t, s, "k", "3"); err != nil {
			t.Errorf("after the member was started again: %v", err)
		}
		for who, password := range map[string]string{"app": "another's secret", "nobody": appPassword} {
			_, err := as(t, c, who, password)
			if !errors.Is(err, kv.ErrUnusable) {
				t.Errorf("%s with a wrong password: %v, want %v", who, err, kv.ErrUnusable)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("an error tells the password: %v", err)
			}
		}
		none, err := as(t, c, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := none.Store(t.Context(), "alice/PHONE"); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("without a user: %v, want %v", err, kv.ErrUnusable)
		}
	})
}
