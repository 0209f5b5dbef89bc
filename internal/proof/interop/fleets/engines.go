//go:build linux

package fleets

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
	"github.com/pawlkv/pawl/kv/pgkv"
)

// The engines.
const (
	postgres = "postgres"
	etcd     = "etcd"
)

// openers are those of processes on other hosts.
var openers = map[string]processes.Opener{postgres: openPostgres, etcd: openEtcd}

// space is the device's.
const space = "device"

// postgresStore is a space, and what was opened for it.
type postgresStore struct {
	*pgkv.Store
	db   *pgkv.DB
	pool *pgxpool.Pool
}

// Close implements kv.Store.
func (s postgresStore) Close() error {
	err := s.db.Close()
	s.pool.Close()
	return err
}

func openPostgres(s processes.Setup) (kv.Store, error) { return openPostgresBy(s, nil) }

// openPostgresBy is openPostgres with a change of the pool's configuration.
func openPostgresBy(s processes.Setup, change func(*pgxpool.Config)) (kv.Store, error) {
	ctx := context.Background()
	config, err := pgxpool.ParseConfig(s.URL)
	if err != nil {
		return nil, err
	}
	pgkv.Prepare(config)
	if change != nil {
		change(config)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	mode := pgkv.Asynchronous
	if s.Synchronous {
		mode = pgkv.Synchronous
	}
	db, err := pgkv.Open(ctx, pool, pgkv.WithWitnesses(s.Dir), pgkv.WithMode(mode), pgkv.WithWait(waitOf(s)))
	if err != nil {
		pool.Close()
		return nil, err
	}
	return postgresStore{db.Store(space), db, pool}, nil
}

// etcdStore is a store, and what was opened for it.
type etcdStore struct {
	*etcdkv.Store
	db *etcdkv.Database
}

// Close implements kv.Store.
func (s etcdStore) Close() error { return errors.Join(s.Store.Close(), s.db.Close()) }

func openEtcd(s processes.Setup) (kv.Store, error) { return openEtcdBy(s) }

// openEtcdBy is openEtcd from a process that is on none of the hosts.
func openEtcdBy(s processes.Setup, dial ...grpc.DialOption) (kv.Store, error) {
	ctx := context.Background()
	db, err := etcdkv.Open(ctx, clientv3.Config{Endpoints: strings.Split(s.URL, ","), DialOptions: dial}, etcdkv.WithWait(waitOf(s)), etcdkv.WithWitnessDir(s.Dir))
	if err != nil {
		return nil, err
	}
	store, err := db.Store(ctx, space)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return etcdStore{store, db}, nil
}

func waitOf(s processes.Setup) time.Duration {
	if s.Patience == 0 {
		return time.Minute
	}
	return s.Patience
}
