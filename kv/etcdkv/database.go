package etcdkv

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/pawlkv/pawl/kv"
)

// Database is a connection to an etcd cluster, which all its stores share. Its methods
// may be called from any number of goroutines.
type Database struct {
	set    settings
	client *clientv3.Client
	kv     pb.KVClient
	calls  []grpc.CallOption

	mu     sync.Mutex
	closed bool
	stores map[*Store]struct{}
}

// How a connection is known to be dead that says nothing: etcd refuses pings that come
// faster than each 5 s.
const (
	keepAliveTime    = 10 * time.Second
	keepAliveTimeout = 3 * time.Second
	// messageOverhead is what etcd's own client allows a message beside the request.
	messageOverhead = 512 << 10
)

// Open connects to a cluster: to whichever of the endpoints answers. Of the
// configuration it sets what its promises need: that nothing is sent twice, and that a
// connection that is dead is found out. Without a Logger the client library is silent.
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
	client, err := clientv3.New(db.configured(config))
	if err != nil {
		return nil, fmt.Errorf("etcdkv: connect: %w", opening(err))
	}
	db.client, db.kv = client, pb.NewKVClient(client.ActiveConnection())
	db.calls = []grpc.CallOption{
		grpc.WaitForReady(true),
		grpc.MaxCallSendMsgSize(db.set.maxBytes + messageOverhead), grpc.MaxCallRecvMsgSize(math.MaxInt32),
	}
	return db, nil
}

// configured returns the configuration of a client that sends nothing twice. One
// attempt is what turns its retries off: 0 stands for a hundred.
func (db *Database) configured(config clientv3.Config) clientv3.Config {
	config.MaxUnaryRetries = 1
	config.DialOptions = append(append([]grpc.DialOption{}, config.DialOptions...),
		grpc.WithDisableRetry(), grpc.WithStatsHandler(sentHandler{}))
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
