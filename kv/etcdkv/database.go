package etcdkv

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/pawlkv/pawl/kv"
)

// Database is a connection to an etcd cluster, which all its stores share. Its methods
// may be called from any number of goroutines.
type Database struct {
	set    settings
	client *clientv3.Client
	kv     pb.KVClient
	calls  []grpc.CallOption
	login  login

	mu     sync.Mutex
	closed bool
	stores map[*Store]struct{}
}

// How a connection is known to be dead that says nothing: etcd refuses pings that come
// faster than each 5 s.
const (
	keepAliveTime    = 10 * time.Second
	keepAliveTimeout = 3 * time.Second
	// Until etcd is there again it is looked for at such pauses: gRPC's own grow to two
	// minutes. And so long may it take to connect, of which gRPC waits 20 s for a host that
	// is cut off.
	firstReconnect = 50 * time.Millisecond
	lastReconnect  = time.Second
	connectTimeout = 5 * time.Second
	// messageOverhead is what etcd's own client allows a message beside the request.
	messageOverhead = 512 << 10
)

// Open connects to a cluster: to whichever of the endpoints answers. Of the
// configuration it sets what its promises need: that nothing is sent twice, and that a
// connection that is dead is found out. Unless DialOptions say otherwise it looks for an etcd
// that is away each second. Without a Logger the client library is silent.
// Errors: kv.ErrInvalid, and as [Database.Store].
func Open(ctx context.Context, config clientv3.Config, options ...Option) (*Database, error) {
	db := &Database{set: defaults(), stores: make(map[*Store]struct{})}
	for _, option := range options {
		option(&db.set)
	}
	if err := db.set.check(); err != nil {
		return nil, fmt.Errorf("etcdkv: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	user, password := config.Username, config.Password
	config = db.configured(config)
	client, err := clientv3.New(config)
	if err != nil {
		return nil, fmt.Errorf("etcdkv: connect: %w", opening(err))
	}
	db.client, db.kv = client, pb.NewKVClient(client.ActiveConnection())
	db.calls = []grpc.CallOption{
		grpc.WaitForReady(true),
		grpc.MaxCallSendMsgSize(db.set.maxBytes + messageOverhead), grpc.MaxCallRecvMsgSize(math.MaxInt32),
	}
	limited, cancel := context.WithTimeout(ctx, config.DialTimeout)
	defer cancel()
	if err := db.logIn(limited, user, password); err != nil {
		return nil, errors.Join(fmt.Errorf("etcdkv: connect: %w", opening(err)), client.Close())
	}
	return db, nil
}

// logIn fetches the first token, if there is a user.
func (db *Database) logIn(ctx context.Context, user, password string) error {
	if user == "" || password == "" {
		return nil
	}
	db.login.as(user, password, db.client.ActiveConnection(), db.calls)
	return db.login.refresh(ctx, "")
}

// configured returns the configuration of a client that sends nothing twice, and leaves it
// to us who the user is. One attempt is what turns its retries off: 0 stands for a hundred.
func (db *Database) configured(config clientv3.Config) clientv3.Config {
	if config.Token == "" {
		config.Username, config.Password = "", ""
	}
	config.MaxUnaryRetries = 1
	reconnecting := backoff.DefaultConfig
	reconnecting.BaseDelay, reconnecting.MaxDelay = firstReconnect, lastReconnect
	config.DialOptions = slices.Concat(
		[]grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnecting, MinConnectTimeout: connectTimeout})},
		config.DialOptions,
		[]grpc.DialOption{
			grpc.WithDisableRetry(), grpc.WithStatsHandler(sentHandler{}),
			grpc.WithPerRPCCredentials(&db.login), grpc.WithChainUnaryInterceptor(db.login.intercept),
		},
	)
	if config.DialTimeout == 0 {
		config.DialTimeout = db.set.wait
	}
	if config.DialKeepAliveTime == 0 {
		config.DialKeepAliveTime, config.DialKeepAliveTimeout = keepAliveTime, keepAliveTimeout
	}
	if config.Logger == nil && config.LogConfig == nil {
		config.Logger = zap.NewNop()
	}
	return config
}

// Close closes the stores that are open, and the connection. Closing twice is harmless.
func (db *Database) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	var open []*Store
	for s := range db.stores {
		open = append(open, s)
	}
	db.mu.Unlock()
	var err error
	for _, s := range open {
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, db.client.Close())
}

// add notes an open store. Error: kv.ErrClosed.
func (db *Database) add(s *Store) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return kv.ErrClosed
	}
	db.stores[s] = struct{}{}
	return nil
}

func (db *Database) remove(s *Store) {
	db.mu.Lock()
	defer db.mu.Unlock()
	delete(db.stores, s)
}
