package etcdtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
)

// TestPartsOfOneState: more keys than one transaction reads are read beside each other, and
// are of one state all the same, though others commit after the first part was answered.
func TestPartsOfOneState(t *testing.T) {
	c := Start(t, Newest(), 1)
	plain := open(t, c)
	other := storeOf(t, plain, "alice")
	var keys []string
	for i := range 3 * other.Limits().Writes {
		keys = append(keys, fmt.Sprintf("%04d", i))
	}
	first, last := keys[0], keys[len(keys)-1]
	both := func(value string) kv.Version {
		t.Helper()
		version, err := other.Commit(t.Context(), &kv.Batch{
			ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: first, Value: []byte(value)}, {Key: last, Value: []byte(value)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return version
	}
	both("old")

	// One part goes first, whichever it is, and the others after somebody has committed.
	var waits atomic.Bool
	var begun atomic.Int64
	committed := make(chan struct{})
	commit := sync.OnceFunc(func() { both("new"); close(committed) })
	hold := func(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, options ...grpc.CallOption) error {
		txn, is := request.(*pb.TxnRequest)
		if !is || !waits.Load() || !strings.HasPrefix(method, "/etcdserverpb.KV/") || len(txn.Success) < 2 {
			return next(ctx, method, request, reply, cc, options...)
		}
		if begun.Add(1) > 1 {
			<-committed
			return next(ctx, method, request, reply, cc, options...)
		}
		err := next(ctx, method, request, reply, cc, options...)
		commit()
		return err
	}
	db, err := etcdkv.Open(t.Context(), clientv3.Config{Endpoints: c.Endpoints(), DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(hold)}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	view := storeOf(t, db, "alice").Snapshot()
	defer view.Close()
	waits.Store(true)
	entries, err := view.Get(t.Context(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	a, b := entries[0], entries[len(entries)-1]
	if string(a.Value) != string(b.Value) || a.Version != b.Version {
		t.Errorf("one view shows %q at %d and %q at %d, which were committed together", a.Value, a.Version, b.Value, b.Version)
	}
	version, err := view.Version(t.Context())
	if err != nil || version != a.Version {
		t.Errorf("the view is at %d, %v, want %d", version, err, a.Version)
	}
	if n := begun.Load(); n < 3 {
		t.Errorf("%d calls, want the parts beside each other", n)
	}
}
