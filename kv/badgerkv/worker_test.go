//go:build linux || darwin

package badgerkv_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// counters is how many keys the workers count in.
const counters = 5

func counterKey(i int) string { return fmt.Sprintf("counter/%d", i) }

// event is a line of a worker's log. A commit is logged before it is sent and
// again when its outcome is known, a read when it has returned.
type event struct {
	Worker  string
	Number  int    // of the commit
	Key     string // of the counter
	From    string // its value: what was read
	To      string `json:",omitempty"` // and what is to be written, "" for a read
	Call    int64  // nanoseconds of the machine's monotonic clock
	Return  int64  `json:",omitempty"`
	Outcome string `json:",omitempty"` // of a commit that returned
}

// Outcomes of a commit.
const (
	outApplied  = "applied"
	outConflict = "conflict"
	outRefused  = "refused" // certainly not applied
	outUnknown  = "unknown"
)

// worker counts, one after the other, until it is told to end or killed.
type worker struct {
	store *badgerkv.Store
	log   *json.Encoder
	name  string
	done  int
	epoch uint64
}

// work is a process that counts. It says "locked" when it is about to open
// Badger, "owner" when it has become the owner, and "counted" after each
// commit.
func work(dir string) error {
	name := strconv.Itoa(os.Getpid())
	file, err := os.OpenFile(filepath.Join(filepath.Dir(dir), "log-"+name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	store, err := badgerkv.Open(dir, badgerkv.WithLockHook(func() { fmt.Println("locked") }))
	if err != nil {
		return err
	}
	w := &worker{store: store, log: json.NewEncoder(file), name: name}
	end := untilInputEnds()
	for {
		select {
		case <-end:
			return store.Close()
		default:
		}
		if err := w.count(context.Background(), counterKey(rand.IntN(counters))); err != nil {
			return errors.Join(err, store.Close())
		}
		if now := store.Status(); now.Owner && now.Epoch != w.epoch {
			w.epoch = now.Epoch
			fmt.Println("owner")
		}
	}
}

func clock() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err)
	}
	return now.Nano()
}

// count adds one to a counter, and notes in the same commit that it did.
func (w *worker) count(ctx context.Context, key string) error {
	snapshot := w.store.Snapshot()
	defer snapshot.Close()
	e := event{Worker: w.name, Number: w.done, Key: key, Call: clock()}
	entries, err := snapshot.Get(ctx, key)
	if errors.Is(err, kv.ErrConflict) || errors.Is(err, kv.ErrUnavailable) {
		return nil
	}
	if err != nil {
		return err
	}
	version, err := snapshot.Version(ctx)
	if errors.Is(err, kv.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	e.From, e.Return = string(entries[0].Value), clock()
	if err := w.log.Encode(e); err != nil {
		return err
	}
	n, _, _ := strings.Cut(e.From, " ")
	count, _ := strconv.Atoi(n) // 0 at first
	e.To, e.Call, e.Return = fmt.Sprintf("%d %s %d", count+1, w.name, w.done), clock(), 0
	if err := w.log.Encode(e); err != nil {
		return err
	}
	b := &kv.Batch{
		ID:    kv.NewCommitID(version),
		Reads: []kv.Read{{Key: key, Version: entries[0].Version}},
		Writes: []kv.Write{
			{Key: key, Value: []byte(e.To)},
			{Key: e.opKey(), Value: []byte(e.To)},
		},
		Sync: true,
	}
	err = w.commit(ctx, b)
	w.done++
	e.Return = clock()
	switch {
	case err == nil:
		e.Outcome = outApplied
	case errors.Is(err, kv.ErrConflict):
		e.Outcome = outConflict
	case errors.Is(err, kv.ErrUnknown):
		e.Outcome = outUnknown
	case errors.Is(err, kv.ErrUnavailable):
		e.Outcome = outRefused
	default:
		return err
	}
	fmt.Println("counted")
	return w.log.Encode(e)
}

// opKey is where a commit leaves its mark.
func (e *event) opKey() string { return fmt.Sprintf("op/%s/%d", e.Worker, e.Number) }

// commit resolves what is unknown for a while.
func (w *worker) commit(ctx context.Context, b *kv.Batch) error {
	_, err := w.store.Commit(ctx, b)
	for end := time.Now().Add(patience); errors.Is(err, kv.ErrUnknown) && time.Now().Before(end); {
		_, again := w.store.Commit(ctx, b)
		if again == nil || errors.Is(again, kv.ErrConflict) {
			return again
		}
	}
	return err
}
