//go:build js

package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// together calls what callers do, at once, and returns how long all of them took.
func together(callers int, do func(caller int) error) (time.Duration, error) {
	var (
		all     sync.WaitGroup
		mu      sync.Mutex
		failure error
	)
	began := time.Now()
	for caller := range callers {
		all.Go(func() {
			if err := do(caller); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failure = err
			}
		})
	}
	all.Wait()
	return time.Since(began), failure
}

// numbers reads arguments that are numbers.
func numbers(args []string) (n []int, err error) {
	for _, arg := range args {
		number, err := strconv.Atoi(arg)
		if err != nil {
			return nil, err
		}
		n = append(n, number)
	}
	return n, nil
}

// commits lets some callers make so many commits each, strict or relaxed, to keys of their
// own, and returns how many a second that were.
func (a *actor) commits(ctx context.Context, args []string) (string, error) {
	n, err := numbers(args[2:])
	if err != nil {
		return "", err
	}
	callers, each := n[0], n[1]
	took, err := together(callers, func(caller int) error {
		for range each {
			write := kv.Write{Key: fmt.Sprintf("%s/%d", args[0], caller), Value: []byte("a value")}
			if _, err := a.store.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(0), Sync: args[1] == "strict", Writes: []kv.Write{write}}); err != nil {
				return err
			}
		}
		return nil
	})
	return fmt.Sprintf("%.1f", float64(callers*each)/took.Seconds()), err
}

// tally is a record that many want to change.
type tally struct {
	Name string
	N    int
}

var tallies = txn.Record[string, tally]{
	Kind: "tally", Codec: txn.Msgpack[tally](1),
	Name: func(t tally) string { return t.Name },
	Path: func(name string) txn.Path { return txn.PathOf(name) },
}

// hot lets some callers make so many transactions each on one key, and returns how many a
// second that were.
func (a *actor) hot(ctx context.Context, args []string) (string, error) {
	n, err := numbers(args[1:])
	if err != nil {
		return "", err
	}
	callers, each := n[0], n[1]
	db := txn.New(a.store, txn.WithSealer(txn.Plaintext))
	took, err := together(callers, func(int) error {
		for range each {
			_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
				found, _, err := tallies.Get(tx, args[0])
				if err != nil {
					return 0, err
				}
				return 0, tallies.Put(tx, tally{args[0], found.N + 1})
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return fmt.Sprintf("%.1f", float64(callers*each)/took.Seconds()), err
}

// recorded is a store that notes what one transaction asks of it.
type recorded struct {
	kv.Store
	gets  [][]string
	batch *kv.Batch
}

func (r *recorded) Snapshot() kv.Snapshot { return recordedView{r.Store.Snapshot(), r} }

func (r *recorded) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	r.batch = b
	return r.Store.Commit(ctx, b)
}

type recordedView struct {
	kv.Snapshot
	store *recorded
}

func (v recordedView) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	v.store.gets = append(v.store.gets, keys)
	return v.Snapshot.Get(ctx, keys...)
}

// again makes the transaction that was noted once more, with nothing computed: it reads
// the same keys, and writes as many bytes to those it wrote.
func (r *recorded) again(ctx context.Context) error {
	view := r.Store.Snapshot()
	defer view.Close()
	b := &kv.Batch{Sync: r.batch.Sync, Writes: r.batch.Writes}
	for _, keys := range r.gets {
		entries, err := view.Get(ctx, keys...)
		if err != nil {
			return err
		}
		for _, e := range entries {
			b.Reads = append(b.Reads, kv.Read{Key: e.Key, Version: e.Version})
		}
	}
	head, err := view.Version(ctx)
	if err != nil {
		return err
	}
	b.ID = kv.NewCommitID(head)
	_, err = r.Store.Commit(ctx, b)
	return err
}

// decrypts measures so many calls of Decrypt on the store, the bare transactions that they
// make, and the same calls on a store in memory, and returns the milliseconds of each.
func (a *actor) decrypts(ctx context.Context, args []string) (string, error) {
	n, err := numbers(args)
	if err != nil {
		return "", err
	}
	stored := &recorded{Store: a.store}
	here, err := a.calls(ctx, stored, n[0])
	if err != nil {
		return "", err
	}
	inMemory, err := a.calls(ctx, memkv.New(), n[0])
	if err != nil {
		return "", err
	}
	began := time.Now()
	for range n[0] {
		if err := stored.again(ctx); err != nil {
			return "", err
		}
	}
	bare := time.Since(began)
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(n[0]) }
	return fmt.Sprintf("%.2f %.2f %.2f", each(here), each(bare), each(inMemory)), nil
}

// calls makes a device in a store, and one that sends to it, and returns how long it took to
// decrypt so many messages, one after the other. What the last did is noted.
func (a *actor) calls(ctx context.Context, store kv.Store, n int) (took time.Duration, err error) {
	var machines []*pawl.Machine
	for i, in := range []kv.Store{store, memkv.New()} {
		opened, err := pawl.Open(ctx, in, pawl.WithKey(key))
		if err != nil {
			return 0, err
		}
		m, err := opened.Create(ctx, user, []matrix.DeviceID{"HERE", "THERE"}[i])
		if err != nil {
			return 0, err
		}
		machines = append(machines, m)
	}
	alice, bob := machines[0], machines[1]
	messages, from, err := talk(ctx, alice, bob, n)
	if err != nil {
		return 0, err
	}
	noted, _ := store.(*recorded)
	for i, m := range messages {
		if noted != nil {
			noted.gets = nil
		}
		began := time.Now()
		if _, err := alice.Decrypt(ctx, from, m); err != nil {
			return 0, fmt.Errorf("message %d: %w", i, err)
		}
		took += time.Since(began)
	}
	return took, nil
}
