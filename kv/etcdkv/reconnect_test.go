package etcdkv

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// TestReconnect: an etcd that was away, or cut off, for long is found soon after it is there
// again. With gRPC's own pauses the first takes eight minutes, and the second 60 s.
func TestReconnect(t *testing.T) {
	const soon = 50 * time.Second
	for name, row := range map[string]struct {
		times int64 // that it is looked for while it is away
		fails func(context.Context) error
	}{
		"refused": {12, func(context.Context) error { return errors.New("connection refused") }},
		"cut off": {3, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _ := serve(t, long, func(r *pb.TxnRequest) (*pb.TxnResponse, error) { return nothing(r), nil })
			var dialed atomic.Int64
			dial := func(ctx context.Context, address string) (net.Conn, error) {
				if dialed.Add(1) <= row.times {
					return nil, row.fails(ctx)
				}
				return new(net.Dialer).DialContext(ctx, "tcp", address)
			}
			began := time.Now()
			s := storeBy(t, clientv3.Config{
				Endpoints: []string{f.listener.Addr().String()}, DialOptions: []grpc.DialOption{grpc.WithContextDialer(dial)},
			}, soon)
			if version, err := s.Snapshot().Version(t.Context()); version != 0 || err != nil {
				t.Errorf("version %d, %v", version, err)
			}
			if n := dialed.Load(); n != row.times+1 {
				t.Errorf("it was looked for %d times, want %d", n, row.times+1)
			}
			t.Logf("after %v", time.Since(began))
		})
	}
}
