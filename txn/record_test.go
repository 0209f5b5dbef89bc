package txn_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

func keyring(t testing.TB) seal.Keyring {
	k, _, err := seal.Create(rand.Reader, seal.RawKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// dump returns all entries of a store.
func dump(t testing.TB, store kv.Store) []kv.Entry {
	t.Helper()
	snap := store.Snapshot()
	defer snap.Close()
	var all []kv.Entry
	for e, err := range snap.Scan(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// overwrite stores a value from outside.
func overwrite(t testing.TB, store kv.Store, key string, value []byte) {
	t.Helper()
	v := head(t, store)
	_, err := store.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(v), Writes: []kv.Write{{Key: key, Value: value}}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeysAndValuesShowNoNames(t *testing.T) {
	store := newStore(t)
	db := txn.New(store, txn.WithSealer(keyring(t))).Account("@bob:example.org")
	pay(t, db, "@alice:example.org", 1)
	for _, e := range dump(t, store) {
		if segments := strings.Split(e.Key, "/"); len(segments) != 3 || segments[1] != "purse" || len(e.Key) != 22+1+5+1+22 {
			t.Errorf("key %q", e.Key)
		}
		if bytes.Contains(e.Value, []byte("alice")) || strings.Contains(e.Key, "bob") {
			t.Errorf("entry %q shows a name", e.Key)
		}
	}
}

func TestAccountsAreApart(t *testing.T) {
	store := newStore(t)
	db := txn.New(store, txn.WithSealer(keyring(t)))
	a, b := db.Account("a"), db.Account("b")
	shared := tokens
	shared.Shared = true
	pay(t, a, "pot", 5)
	if got := balance(t, b, "pot"); got != 0 {
		t.Errorf("account b sees %d of account a", got)
	}
	if _, err := txn.Do(ctx, a, func(tx *txn.Tx) (int, error) { return 0, shared.Put(tx, token{"x"}) }); err != nil {
		t.Fatal(err)
	}
	for _, db := range []*txn.DB{a, b, db} {
		tok, err := txn.View(ctx, db, func(tx *txn.Tx) (token, error) {
			tok, _, err := shared.Get(tx, "x")
			return tok, err
		})
		if err != nil || tok.By != "x" {
			t.Errorf("shared record: %v, %v", tok, err)
		}
	}
}

// The path of decrypting: the records that are known from the message in one
// round trip, those that they name in another, then the commit.
func TestRoundTrips(t *testing.T) {
	inner := newStore(t)
	pay(t, open(inner, txn.NoCache), "a", 1)
	store, calls := trace(inner)
	db := open(store, txn.NoCache)
	work := func(tx *txn.Tx) (int, error) {
		if err := tx.Prefetch(purses.Ref("a"), tokens.Ref("x"), purses.Ref("b")); err != nil {
			return 0, err
		}
		for _, who := range []string{"a", "b", "a"} {
			if _, err := add(tx, who, 1); err != nil {
				return 0, err
			}
		}
		if _, _, err := tokens.Get(tx, "x"); err != nil {
			return 0, err
		}
		found, err := purses.GetAll(tx, "c", "a", "d")
		if err != nil || found[0].OK || !found[1].OK || found[1].Value.Balance != 3 {
			return 0, fmt.Errorf("GetAll = %v, %v", found, err)
		}
		return 0, nil
	}
	if _, err := txn.Do(ctx, db, work); err != nil {
		t.Fatal(err)
	}
	want := ops(faulty.Get, faulty.Get, faulty.Version, faulty.Commit)
	if got := ops(calls.Ops()...); got != want || db.Stats().RoundTrips != 3 {
		t.Errorf("calls %v, want %v; %d round trips counted", got, want, db.Stats().RoundTrips)
	}
}

func TestViewOfOneSnapshotIsNotValidated(t *testing.T) {
	store, calls := trace(newStore(t))
	db := open(store, txn.NoCache)
	balance(t, db, "pot")
	if _, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { _, ok, err := purses.Get(tx, "pot"); return 0, errIf(ok, err) }); err != nil {
		t.Fatal(err)
	}
	if got := ops(calls.Ops()...); got != ops(faulty.Get, faulty.Get) {
		t.Errorf("calls %v, want a get each", got)
	}
}

func errIf(ok bool, err error) error {
	if ok {
		return errors.New("found")
	}
	return err
}

func TestCachedReadsMakeNoCallAndAreValidated(t *testing.T) {
	store, calls := trace(newStore(t))
	db := open(store, txn.Validated)
	for range 3 {
		pay(t, db, "pot", 1)
	}
	balance(t, db, "pot")
	want := ops(faulty.Get, faulty.Version, faulty.Commit, faulty.Commit, faulty.Commit, faulty.Commit)
	if got := ops(calls.Ops()...); got != want {
		t.Errorf("calls %v, want %v", got, want)
	}
	if s := db.Stats(); s.Hits != 3 || s.Misses != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestConflictEvictsWhatItNames(t *testing.T) {
	store := newStore(t)
	db, other := open(store, txn.Validated), open(store, txn.NoCache)
	pay(t, db, "a", 1)
	pay(t, db, "b", 1)
	pay(t, other, "a", 1)
	pay(t, db, "a", 1) // conflicts, evicts a, runs again
	before := db.Stats()
	if got := balance(t, db, "a") + balance(t, db, "b"); got != 4 || before.Conflicts != 1 {
		t.Errorf("balances sum to %d after %d conflicts", got, before.Conflicts)
	}
	if s := db.Stats(); s.Conflicts != 1 || s.Misses != before.Misses {
		t.Errorf("a and b are not in the cache: %+v", s)
	}
}

func TestSmallCacheStaysRight(t *testing.T) {
	db := open(newStore(t), txn.Validated, txn.WithCacheSize(2))
	for n := range 30 {
		if got := pay(t, db, fmt.Sprint(n%5), 1); got != n/5+1 {
			t.Fatalf("balance %d after %d", got, n)
		}
	}
}

func TestOneKindOfTwoTypesIsAnError(t *testing.T) {
	clash := tokens
	clash.Kind = "purse"
	_, err := txn.Do(ctx, open(newStore(t), txn.NoCache), func(tx *txn.Tx) (int, error) {
		if _, err := add(tx, "pot", 1); err != nil {
			return 0, err
		}
		_, _, err := clash.Get(tx, "pot")
		return 0, err
	})
	wantErr(t, "Get", err, kv.ErrInvalid)
	for _, kind := range []string{"", "a/b"} {
		bad := tokens
		bad.Kind = kind
		_, err := txn.Do(ctx, open(newStore(t), txn.NoCache), func(tx *txn.Tx) (int, error) {
			return 0, bad.Put(tx, token{"x"})
		})
		wantErr(t, fmt.Sprintf("kind %q", kind), err, kv.ErrInvalid)
	}
}

// Names whose paths differ are stored apart, also where their words say the
// same when written one after another.
func TestPathsAreNames(t *testing.T) {
	type wording struct {
		Text  string
		Words []string
	}
	wordings := txn.Record[[]string, wording]{
		Kind: "wording", Codec: txn.Msgpack[wording](1),
		Name: func(w wording) []string { return w.Words },
		Path: func(words []string) txn.Path { return txn.PathOf(words...) },
	}
	names := [][]string{{}, {""}, {"", ""}, {"a b"}, {"a", "b"}, {"a/b"}, {"ab"}, {"a", "b", "", ""}}
	db := open(newStore(t), txn.NoCache)
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		for _, name := range names {
			if err := wordings.Put(tx, wording{fmt.Sprintf("%q", name), name}); err != nil {
				return 0, err
			}
		}
		return 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := txn.View(ctx, db, func(tx *txn.Tx) ([]txn.Found[wording], error) { return wordings.GetAll(tx, names...) })
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range found {
		if want := fmt.Sprintf("%q", names[i]); f.Value.Text != want {
			t.Errorf("under %s: %v, want %s", want, f, want)
		}
	}
	_, err = txn.View(ctx, db, func(tx *txn.Tx) (int, error) {
		_, _, err := wordings.Get(tx, make([]string, txn.MaxSegments+1))
		return 0, err
	})
	wantErr(t, "a path that is too long", err, kv.ErrInvalid)
}

func TestSingle(t *testing.T) {
	db := open(newStore(t), txn.NoCache)
	one := txn.Single[token]{Kind: "one", Codec: tokens.Codec}
	for _, want := range []string{"first", "second"} {
		got, err := txn.Do(ctx, db, func(tx *txn.Tx) (token, error) {
			if err := one.Put(tx, token{want}); err != nil {
				return token{}, err
			}
			tok, _, err := one.Get(tx)
			return tok, err
		})
		if err != nil || got.By != want {
			t.Errorf("what was put is %v, %v; want %s", got, err, want)
		}
	}
	exists, err := txn.Do(ctx, db, func(tx *txn.Tx) (bool, error) {
		if _, there, err := one.Get(tx); !there || err != nil {
			return false, fmt.Errorf("before Delete: %v, %w", there, err)
		}
		if err := one.Delete(tx); err != nil {
			return false, err
		}
		_, there, err := one.Get(tx)
		return there, err
	})
	if exists || err != nil {
		t.Errorf("after Delete: %v, %v", exists, err)
	}
}

func TestUnsynced(t *testing.T) {
	synced := map[bool]int{}
	store := faulty.Wrap(newStore(t), faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if c.Op == faulty.Commit {
			synced[c.Batch.Sync]++
		}
		return nil
	}})
	db := open(store, txn.NoCache)
	pay(t, db, "pot", 1)
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { tx.Unsynced(); return add(tx, "pot", 1) })
	if err != nil || synced[true] != 1 || synced[false] != 1 {
		t.Errorf("%v, commits by sync: %v", err, synced)
	}
}

func TestScanKeepsToItsPrefix(t *testing.T) {
	db := open(newStore(t), txn.NoCache)
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		for _, name := range []string{"a", "a/x", "a/y", "ab/z", "b/a"} {
			if err := tokens.Put(tx, token{name}); err != nil {
				return 0, err
			}
		}
		return 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for want, first := range map[string]txn.Path{
		"a a/x a/y ab/z b/a": txn.PathOf(),
		"a/x a/y":            txn.PathOf("a"),
		"":                   txn.PathOf("a", "x"),
	} {
		var got []string
		_, err := txn.View(ctx, db, func(tx *txn.Tx) (int, error) {
			got = nil
			for tok, err := range tokens.ScanUnder(tx, first) {
				if err != nil {
					return 0, err
				}
				got = append(got, tok.By)
			}
			return 0, nil
		})
		slices.Sort(got)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("ScanUnder(%v) = %v, %v; want %s", first, got, err, want)
		}
	}
}
