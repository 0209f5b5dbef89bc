package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
)

// TestManyChecks: a batch with more checks than a transaction makes is applied only if
// nothing changed since they were made, names what is stale, and stays refused.
func TestManyChecks(t *testing.T) {
	EachInFull(t, func(t *testing.T, server Server) {
		c := Start(t, server, 1)
		var meanwhile atomic.Pointer[func()] // called once, before something is written
		hold := func(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, options ...grpc.CallOption) error {
			if txn, ok := request.(*pb.TxnRequest); ok && len(txn.Success) > 0 && txn.Success[0].GetRequestPut() != nil {
				if do := meanwhile.Swap(nil); do != nil {
					(*do)()
				}
			}
			return next(ctx, method, request, reply, cc, options...)
		}
		db, err := etcdkv.Open(t.Context(), clientv3.Config{
			Endpoints: c.Endpoints(), DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(hold)},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		s, other := storeOf(t, db, "alice"), storeOf(t, open(t, c), "alice")

		var reads []kv.Read
		for i := range 3 {
			b := most(kv.Limits{Writes: 100}, i)
			for j := range b.Writes {
				b.Writes[j].Key = fmt.Sprintf("r/%d/%03d", i, j)
			}
			version, err := s.Commit(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range b.Writes {
				reads = append(reads, kv.Read{Key: w.Key, Version: version})
			}
		}
		large := func(key string) *kv.Batch {
			return &kv.Batch{
				ID: kv.NewCommitID(head(t, s)), Reads: reads[:200], Scans: []kv.ScanRead{{Prefix: "r/", Entries: reads}},
				Writes: []kv.Write{{Key: key}}, Sync: true,
			}
		}
		elsewhere := func() { mustPut(t, other, "elsewhere", "1") }
		meanwhile.Store(&elsewhere)
		applied := large("k")
		version, err := s.Commit(t.Context(), applied)
		if err != nil || get(t, s, "k").Version != version {
			t.Errorf("version %d, %v, while others change something else", version, err)
		}
		stale := func() { mustPut(t, other, "r/1/050", "2") }
		meanwhile.Store(&stale)
		late := large("late")
		_, err = s.Commit(t.Context(), late)
		var conflict *kv.ConflictError
		if !errors.As(err, &conflict) || len(conflict.Keys) != 1 || conflict.Keys[0] != "r/1/050" || len(conflict.Prefixes) != 1 {
			t.Errorf("one of its keys is changed after its checks: %v, want a conflict that names it and the prefix", err)
		}
		if _, err := s.Commit(t.Context(), &kv.Batch{Scans: late.Scans}); kv.OutcomeOf(err) != kv.Conflict {
			t.Errorf("without writes: %v, want a conflict", err)
		}
		late.Again = true
		if _, err := s.Commit(t.Context(), late); kv.OutcomeOf(err) != kv.Conflict || errors.Is(err, kv.ErrRefused) {
			t.Errorf("coming again: %v, want a conflict", err)
		}
		if _, err := other.Commit(t.Context(), late); !errors.Is(err, kv.ErrRefused) {
			t.Errorf("and again: %v, want %v", err, kv.ErrRefused)
		}
		applied.Again = true
		if again, err := other.Commit(t.Context(), applied); again != version || err != nil {
			t.Errorf("what was applied, again: version %d, %v, want %d", again, err, version)
		}
		if get(t, s, "late").Exists() {
			t.Error("what was refused was applied")
		}
	})
}
