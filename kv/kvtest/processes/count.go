//go:build linux || darwin

package processes

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
)

// counters is how many keys are counted in.
const counters = 5

func counterKey(i int) string { return fmt.Sprintf("counter/%d", i) }

// event is a line of a counting process's log. A commit is logged before it is
// sent and again when its outcome is known, a read when it has returned.
type event struct {
	Process string
	Number  int    // of the commit
	Key     string // of the counter
	From    string // its value: what was read
	To      string `json:",omitempty"` // and what is to be written, "" for a read
	Call    int64  // nanoseconds of the machine's monotonic clock
	Return  int64  `json:",omitempty"`
	Outcome string `json:",omitempty"` // of a commit that returned
}

// markKey is where a commit leaves its mark.
func (e *event) markKey() string { return fmt.Sprintf("mark/%s/%d", e.Process, e.Number) }

// Outcomes of a commit.
const (
	applied  = "applied"
	conflict = "conflict"
	refused  = "refused" // certainly not applied
	unknown  = "unknown"
)

// counting is a process that counts.
type counting struct {
	store kv.Store
	log   *json.Encoder
	name  string
	done  int
}

// Count counts in the store, one commit after the other, until standard input
// ends, and closes the store. It logs to a file beside dir and says "counted"
// after each commit; between two it calls each, if that is not nil.
func Count(store kv.Store, dir string, each func()) error {
	name := strconv.Itoa(os.Getpid())
	file, err := os.OpenFile(filepath.Join(filepath.Dir(dir), "log-"+name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	c := &counting{store: store, log: json.NewEncoder(file), name: name}
	for end := InputEnded(); ; {
		select {
		case <-end:
			return store.Close()
		default:
		}
		if err := c.count(context.Background(), counterKey(rand.IntN(counters))); err != nil {
			return errors.Join(err, store.Close())
		}
		if each != nil {
			each()
		}
	}
}

func clock() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // cannot fail
	return t.Nano()
}

// count adds one to a counter, and notes in the same commit that it did.
func (c *counting) count(ctx context.Context, key string) error {
	snapshot := c.store.Snapshot()
	defer snapshot.Close()
	e := event{Process: c.name, Number: c.done, Key: key, Call: clock()}
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
	if err := c.log.Encode(e); err != nil {
		return err
	}
	n, _, _ := strings.Cut(e.From, " ")
	value, _ := strconv.Atoi(n) // 0 at first
	e.To = fmt.Sprintf("%d %s %d", value+1, c.name, c.done)
	return c.commit(ctx, e, &kv.Batch{
		ID:    kv.NewCommitID(version),
		Reads: []kv.Read{{Key: key, Version: entries[0].Version}},
		Writes: []kv.Write{
			{Key: key, Value: []byte(e.To)},
			{Key: e.markKey(), Value: []byte(e.To)},
		},
		Sync: rand.IntN(4) > 0, // who is killed loses nothing of either
	})
}

// commit logs a commit and what became of it.
func (c *counting) commit(ctx context.Context, e event, b *kv.Batch) error {
	e.Call, e.Return = clock(), 0
	if err := c.log.Encode(e); err != nil {
		return err
	}
	_, err := resolved(ctx, c.store, b)
	c.done++
	e.Return = clock()
	switch kv.OutcomeOf(err) {
	case kv.Applied:
		e.Outcome = applied
	case kv.Conflict:
		e.Outcome = conflict
	case kv.Unknown:
		e.Outcome = unknown
	case kv.Unsent:
		e.Outcome = refused
	default:
		return err
	}
	fmt.Println("counted")
	return c.log.Encode(e)
}

// resolved commits, and resolves what is unknown for a while; it returns how often it had
// to ask.
func resolved(ctx context.Context, store kv.Store, b *kv.Batch) (asked int, err error) {
	_, err = store.Commit(ctx, b)
	b.Again = true
	for end := time.Now().Add(Patience); kv.OutcomeOf(err) == kv.Unknown && time.Now().Before(end); {
		asked++
		if _, err := store.Commit(ctx, b); kv.OutcomeOf(err).Resolves() {
			return asked, err
		}
	}
	return asked, err
}
