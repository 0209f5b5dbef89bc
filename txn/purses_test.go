package txn_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

type purse struct {
	Owner   string
	Balance int
}

type token struct{ By string }

var (
	purses = txn.Record[string, purse]{
		Kind: "purse", Codec: txn.Msgpack[purse](1),
		Name: func(p purse) string { return p.Owner }, Path: slashed,
	}
	tokens = txn.Record[string, token]{
		Kind: "token", Codec: txn.Msgpack[token](1),
		Name: func(t token) string { return t.By }, Path: slashed,
	}
	ctx = context.Background()
)

// slashed makes "a/b" a path of two segments.
func slashed(name string) txn.Path { return txn.PathOf(strings.Split(name, "/")...) }

var policies = map[string]txn.CachePolicy{"NoCache": txn.NoCache, "Validated": txn.Validated}

// eachPolicy runs a test under both cache policies.
func eachPolicy(t *testing.T, test func(t *testing.T, p txn.CachePolicy)) {
	t.Helper()
	for name, p := range policies {
		t.Run(name, func(t *testing.T) { test(t, p) })
	}
}

// open returns a DB that never waits between attempts.
func open(store kv.Store, p txn.CachePolicy, opts ...txn.Option) *txn.DB {
	opts = append([]txn.Option{txn.WithSealer(txn.Plaintext), txn.WithCache(p), txn.WithSleep(noSleep)}, opts...)
	return txn.New(store, opts...)
}

func noSleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// add adds n to a purse and returns its new balance.
func add(tx *txn.Tx, owner string, n int) (int, error) {
	p, _, err := purses.Get(tx, owner)
	if err != nil {
		return 0, err
	}
	p.Owner = owner
	p.Balance += n
	return p.Balance, purses.Put(tx, p)
}

// pay is add in a transaction of its own.
func pay(t testing.TB, db *txn.DB, owner string, n int) int {
	t.Helper()
	got, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return add(tx, owner, n) })
	if err != nil {
		t.Fatalf("add %d to %s: %v", n, owner, err)
	}
	return got
}

func balance(t testing.TB, db *txn.DB, owner string) int {
	t.Helper()
	p, err := txn.View(ctx, db, func(tx *txn.Tx) (purse, error) {
		p, _, err := purses.Get(tx, owner)
		return p, err
	})
	if err != nil {
		t.Fatalf("balance of %s: %v", owner, err)
	}
	return p.Balance
}

// head returns the version of the store.
func head(t testing.TB, store kv.Store) kv.Version {
	t.Helper()
	snap := store.Snapshot()
	defer snap.Close()
	v, err := snap.Version(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wantErr(t testing.TB, what string, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("%s: error %v, want one that is %v", what, err, w)
		}
	}
}

// trace returns a store and the calls made on it.
func trace(store kv.Store) (kv.Store, *faulty.Trace) {
	var tr faulty.Trace
	return tr.Wrap(store), &tr
}

func newStore(t testing.TB) *memkv.Store {
	s := memkv.New()
	t.Cleanup(func() { s.Close() })
	return s
}

func ops(s ...faulty.Op) string { return fmt.Sprint(s) }
