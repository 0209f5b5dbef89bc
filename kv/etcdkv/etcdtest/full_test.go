package etcdtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/kv"
)

// put makes a commit of one key.
func put(t testing.TB, s kv.Store, key, value string) (*kv.Batch, kv.Version, error) {
	t.Helper()
	b := &kv.Batch{ID: kv.NewCommitID(head(t, s)), Writes: []kv.Write{{Key: key, Value: []byte(value)}}, Sync: true}
	version, err := s.Commit(t.Context(), b)
	return b, version, err
}

// mustPut is put that must succeed.
func mustPut(t testing.TB, s kv.Store, key, value string) kv.Version {
	t.Helper()
	_, version, err := put(t, s, key, value)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func head(t testing.TB, s kv.Store) kv.Version {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	version, err := snap.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func get(t testing.TB, s kv.Store, key string) kv.Entry {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	entries, err := snap.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return entries[0]
}

// TestFull: when etcd's quota is used up, what was acknowledged is there and what was
// refused is not, reading and checking go on, and so does writing once there is room.
func TestFull(t *testing.T) {
	Each(t, func(t *testing.T, server Server) {
		c := Start(t, server, 1, "--quota-backend-bytes", fmt.Sprint(16<<20))
		s := storeOf(t, open(t, c), "alice")
		large := strings.Repeat("x", 256<<10)
		mustPut(t, s, "k", "1")
		var full error
		n := 0
		for ; n < 200; n++ {
			if _, _, full = put(t, s, fmt.Sprintf("large/%03d", n), large); full != nil {
				break
			}
		}
		if !errors.Is(full, kv.ErrDiskFull) || kv.OutcomeOf(full) != kv.NotApplied {
			t.Fatalf("commit %d: %v, want %v", n, full, kv.ErrDiskFull)
		}
		for i := range n {
			if !get(t, s, fmt.Sprintf("large/%03d", i)).Exists() {
				t.Errorf("commit %d was acknowledged and is not there", i)
			}
		}
		refused := fmt.Sprintf("large/%03d", n)
		if get(t, s, refused).Exists() {
			t.Errorf("commit %d was refused and is there", n)
		}
		before := head(t, s)
		if version, err := s.Commit(t.Context(), &kv.Batch{Reads: []kv.Read{{Key: refused}}}); version != before || err != nil {
			t.Errorf("a batch without writes: version %d, %v, want %d", version, err, before)
		}
		stale := &kv.Batch{ID: kv.NewCommitID(before), Reads: []kv.Read{{Key: "k"}}, Writes: []kv.Write{{Key: "l"}}}
		if _, err := s.Commit(t.Context(), stale); kv.OutcomeOf(err) != kv.Conflict {
			t.Errorf("a stale batch: %v, want a conflict", err)
		}
		stale.Again = true
		if _, err := s.Commit(t.Context(), stale); kv.OutcomeOf(err) != kv.Unknown {
			t.Errorf("a stale batch that comes again, whose refusal finds no room: %v, want it unknown", err)
		}
		reopened := storeOf(t, open(t, c), "alice")
		if got := get(t, reopened, "k"); string(got.Value) != "1" {
			t.Errorf("opened while there is no room: %+v", got)
		}
		if _, err := open(t, c).Store(t.Context(), "bob"); !errors.Is(err, kv.ErrDiskFull) {
			t.Errorf("a new store: %v, want %v", err, kv.ErrDiskFull)
		}
		makeRoom(t, c, s, n)
		if _, err := s.Commit(t.Context(), stale); kv.OutcomeOf(err) != kv.Conflict {
			t.Errorf("the stale batch, when there is room: %v, want a conflict", err)
		}
		mustPut(t, s, refused, large)
	})
}

// makeRoom deletes what was written, and does what etcd's documentation says.
func makeRoom(t *testing.T, c *Cluster, s kv.Store, n int) {
	t.Helper()
	client := c.Connect(t)
	ctx := t.Context()
	for i := range n { // deletions cost nothing, but a commit also notes its ID
		if _, err := client.Delete(ctx, fmt.Sprintf("alice\x00dlarge/%03d", i)); err != nil {
			t.Fatal(err)
		}
	}
	now, err := client.Get(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Compact(ctx, now.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	for _, endpoint := range c.Endpoints() {
		if _, err := client.Defragment(ctx, endpoint); err != nil {
			t.Fatal(err)
		}
	}
	alarms, err := client.AlarmList(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(alarms.Alarms) == 0 || alarms.Alarms[0].Alarm != pb.AlarmType_NOSPACE {
		t.Errorf("alarms %v, want %v", alarms.Alarms, pb.AlarmType_NOSPACE)
	}
	for _, alarm := range alarms.Alarms {
		if _, err := client.AlarmDisarm(ctx, (*clientv3.AlarmMember)(alarm)); err != nil {
			t.Fatal(err)
		}
	}
}
