//go:build linux

package fleets

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/pawlkv/pawl/internal/proof/fleet"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
	"github.com/pawlkv/pawl/kv/etcdkv/etcdtest"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// distances are of a server: how long a message and its answer take on the way.
var distances = []time.Duration{0, time.Millisecond, 20 * time.Millisecond}

// far is a server behind proxies, whose messages are counted.
type far struct {
	proxies []*fleet.Proxy
	calls   atomic.Int64                // messages that somebody waits for the answer of
	rounds  atomic.Int64                // of those that are on their way at once only the first
	under   atomic.Int64                // calls that are on their way
	holds   atomic.Bool                 // answers
	conns   int32                       // of each process to PostgreSQL
	commits atomic.Int64                // transactions that were committed
	open    func(space string) kv.Store // of another process each time
}

// at moves the server.
func (f *far) at(distance time.Duration) {
	for _, p := range f.proxies {
		p.Delay(distance / 2)
	}
}

// holding is how long an answer is kept, while calls that are made beside its call begin:
// on a busy machine it comes before they do.
const holding = 50 * time.Millisecond

// begin counts a call until it has its answer.
func (f *far) begin() (end func()) {
	f.calls.Add(1)
	if f.under.Add(1) == 1 {
		f.rounds.Add(1)
	}
	return func() {
		if f.holds.Load() {
			<-time.After(holding)
		}
		f.under.Add(-1)
	}
}

// counted is a connection to PostgreSQL. One write is one message, of which nobody waits
// for those that tell others, and that remove what is old.
type counted struct {
	net.Conn
	far *far
}

// Write implements net.Conn.
func (c counted) Write(b []byte) (int, error) {
	if !bytes.Contains(b, []byte(".tell(")) && !bytes.Contains(b, []byte(".trim(")) {
		c.far.calls.Add(1)
		c.far.rounds.Add(1)
	}
	return c.Conn.Write(b)
}

func farPostgres(t *testing.T) *far {
	t.Helper()
	f := &far{conns: 1}
	host := fleet.NewOfProxies(t).Host(t, "server")
	pgtest.StartAt(t, placeOf(host), "max_connections=400")
	proxy := fleet.NewProxy(t, host, fmt.Sprintf("%s:%d", host.Address, pgtest.Port))
	f.proxies = []*fleet.Proxy{proxy}
	f.open = func(space string) kv.Store {
		config, err := pgxpool.ParseConfig(urlAt(proxy.Address))
		if err != nil {
			t.Fatal(err)
		}
		pgkv.Prepare(config)
		config.MaxConns, config.MinConns = f.conns, 1
		config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // after a rest
		dial := config.ConnConfig.DialFunc
		config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return counted{conn, f}, err
		}
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		db, err := pgkv.Open(t.Context(), pool, pgkv.WithWitnesses(""))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db.Store(space)
	}
	return f
}

func farEtcd(t *testing.T) *far {
	t.Helper()
	f := new(far)
	host := fleet.NewOfProxies(t).Host(t, "client")
	cluster := etcdtest.Start(t, etcdtest.Newest(), members)
	var endpoints []string
	for _, to := range cluster.Endpoints() {
		p := fleet.NewProxy(t, host, to)
		f.proxies, endpoints = append(f.proxies, p), append(endpoints, p.Address)
	}
	count := func(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, options ...grpc.CallOption) error {
		if strings.HasPrefix(method, "/etcdserverpb.KV/") {
			defer f.begin()()
		}
		return next(ctx, method, request, reply, cc, options...)
	}
	f.open = func(space string) kv.Store {
		db, err := etcdkv.Open(t.Context(), clientv3.Config{Endpoints: endpoints, DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(count)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		store, err := db.Store(t.Context(), space)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	return f
}
