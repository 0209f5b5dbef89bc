package etcdtest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
	"github.com/pawlkv/pawl/ratchet"
)

// counted opens a database whose calls on keys are counted.
func counted(t *testing.T, c *Cluster) (*etcdkv.Database, *atomic.Int64) {
	t.Helper()
	calls := new(atomic.Int64)
	count := func(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, options ...grpc.CallOption) error {
		if strings.HasPrefix(method, "/etcdserverpb.KV/") {
			calls.Add(1)
		}
		return next(ctx, method, request, reply, cc, options...)
	}
	db, err := etcdkv.Open(t.Context(), clientv3.Config{
		Endpoints: c.Endpoints(), DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(count)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, calls
}

// TestRoundTrips: a call of a store is a round trip, and none that the contract says is
// none; a message is three at most.
func TestRoundTrips(t *testing.T) {
	c := Start(t, Newest(), 1)
	db, calls := counted(t, c)
	s := storeOf(t, db, "alice")
	trips := func(what string, want int64, do func() error) {
		t.Helper()
		before := calls.Load()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n := calls.Load() - before; n != want {
			t.Errorf("%s: %d round trips, want %d", what, n, want)
		}
	}
	ctx := t.Context()
	var keys []string
	for i := range s.Limits().Writes {
		keys = append(keys, fmt.Sprint(i))
	}
	b := &kv.Batch{ID: kv.NewCommitID(0), Reads: []kv.Read{{Key: "k"}}, Writes: []kv.Write{{Key: "k"}}, Again: true}
	trips("a commit", 1, func() error { _, err := s.Commit(ctx, b); return err })
	trips("the same again", 1, func() error { _, err := s.Commit(ctx, b); return err })
	snap := s.Snapshot()
	defer snap.Close()
	trips("a get of many keys", 1, func() error { _, err := snap.Get(ctx, keys...); return err })
	trips("the version of a view that was read", 0, func() error { _, err := snap.Version(ctx); return err })
	trips("a scan", 1, func() error {
		for _, err := range snap.Scan(ctx, "") {
			if err != nil {
				return err
			}
		}
		return nil
	})
	late := &kv.Batch{ID: kv.NewCommitID(0), Reads: []kv.Read{{Key: "k"}}, Writes: []kv.Write{{Key: "l"}}, Again: true}
	trips("a refusal that is recorded", 1, func() error {
		if _, err := s.Commit(ctx, late); kv.OutcomeOf(err) != kv.Conflict {
			return fmt.Errorf("not a conflict: %w", err)
		}
		return nil
	})
	trips("a batch without writes", 1, func() error { _, err := s.Commit(ctx, &kv.Batch{}); return err })

	alice := device(t, storeOf(t, db, "alice, with a device"))
	bob := device(t, storeOf(t, db, "bob"))
	from, to := curve(t, alice), curve(t, bob)
	var upload pawl.Upload
	var err error
	if upload, err = bob.KeysForUpload(ctx, 1); err != nil {
		t.Fatal(err)
	}
	said, err := alice.Encrypt(ctx, to, []byte("hello"), pawl.WithOneTimeKey(oneTimeKey(t, upload)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Decrypt(ctx, from, said.Message); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		most := func(what string, do func() error) {
			t.Helper()
			before := calls.Load()
			if err := do(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if n := calls.Load() - before; n > 3 {
				t.Errorf("%s: %d round trips, want 3 at most", what, n)
			} else {
				t.Logf("%s: %d round trips", what, n)
			}
		}
		most("encrypt", func() (err error) { said, err = alice.Encrypt(ctx, to, []byte("hello")); return err })
		most("decrypt", func() error { _, err := bob.Decrypt(ctx, from, said.Message); return err })
	}
}

func curve(t *testing.T, m *pawl.Machine) ratchet.PublicKey {
	t.Helper()
	id, err := m.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id.Curve25519
}

// oneTimeKey returns a one-time key of an upload.
func oneTimeKey(t *testing.T, u pawl.Upload) ratchet.PublicKey {
	t.Helper()
	var body struct {
		OneTime map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := json.Unmarshal(u.Body, &body); err != nil {
		t.Fatal(err)
	}
	for _, one := range body.OneTime {
		key, err := ratchet.ParsePublicKey(one.Key)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	t.Fatalf("no one-time key in %s", u.Body)
	return ratchet.PublicKey{}
}
