package badgerkv_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestHammer lets 64 goroutines move amounts between accounts, some of them
// many at a time, while others look: the sum is always the same, in every
// snapshot, through Flatten, and in the next process.
func TestHammer(t *testing.T) {
	const (
		writers  = 64
		moves    = 40
		accounts = 24
		amount   = 100
	)
	dir := newDir(t)
	store := open(t, dir)
	for i := range accounts {
		put(t, store, account(i), strconv.Itoa(amount))
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range moves {
				if err := move(t.Context(), store, account((w+i)%accounts), account((w*7+i*3+1)%accounts)); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			for range 20 {
				checkSum(t, store, accounts*amount)
			}
		})
	}
	wg.Go(func() {
		if err := store.Flatten(t.Context()); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	checkSum(t, store, accounts*amount)
	mustClose(t, store)
	checkSum(t, open(t, dir), accounts*amount)
}

func account(i int) string { return fmt.Sprintf("account/%02d", i) }

// move takes one from an account and gives it to another, again until it
// succeeds.
func move(ctx context.Context, store kv.Store, from, to string) error {
	for {
		err := tryMove(ctx, store, from, to)
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
}

func tryMove(ctx context.Context, store kv.Store, from, to string) error {
	if from == to {
		return nil
	}
	snapshot := store.Snapshot()
	defer snapshot.Close()
	entries, err := snapshot.Get(ctx, from, to)
	if err != nil {
		return err
	}
	version, err := snapshot.Version(ctx)
	if err != nil {
		return err
	}
	b := &kv.Batch{ID: kv.NewCommitID(version), Sync: len(from)%2 == 0}
	for i, e := range entries {
		n, err := strconv.Atoi(string(e.Value))
		if err != nil {
			return err
		}
		b.Reads = append(b.Reads, kv.Read{Key: e.Key, Version: e.Version})
		b.Writes = append(b.Writes, kv.Write{Key: e.Key, Value: []byte(strconv.Itoa(n - 1 + 2*i))})
	}
	_, err = store.Commit(ctx, b)
	return err
}

func checkSum(t *testing.T, store kv.Store, want int) {
	t.Helper()
	got := 0
	for _, value := range content(t, store) {
		n, err := strconv.Atoi(value)
		if err != nil {
			t.Error(err)
		}
		got += n
	}
	if got != want {
		t.Errorf("the sum is %d, want %d", got, want)
	}
}
