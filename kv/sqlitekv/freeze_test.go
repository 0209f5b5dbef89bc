//go:build linux || darwin

package sqlitekv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// TestFrozenHolder: while a process is stopped in its commit, others are told so
// within their time, still read, and go on as soon as it does.
func TestFrozenHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, WithWait(200*time.Millisecond))
	mustPut(t, s, "k", "before")
	holder := spawn(t, "hold", path)
	holder.Says("held")
	holder.Freeze()
	for range 2 {
		began := time.Now()
		_, err := putOne(s, "k", "during", true)
		if !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("a commit while the holder is stopped: %v, want %v", err, kv.ErrUnavailable)
		}
		if named := fmt.Sprintf("process %d has kept", holder.PID()); runtime.GOOS == "linux" && !strings.Contains(fmt.Sprint(err), named) {
			t.Errorf("%v, want: %s", err, named)
		}
		if took := time.Since(began); took < 200*time.Millisecond {
			t.Errorf("it was refused after %v, too soon", took)
		}
	}
	if got := string(getOne(t, s, "k").Value); got != "before" {
		t.Errorf("reads %q while the holder is stopped", got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k"}}}
	if _, err := s.Commit(ctx, b); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kv.ErrUnknown) {
		t.Errorf("a commit with a deadline: %v, want %v", err, context.DeadlineExceeded)
	}
	patient := openStore(t, path, WithWait(time.Minute))
	after := make(chan error, 1)
	go func() { _, err := putOne(patient, "k", "after", true); after <- err }()
	holder.Thaw()
	holder.Finish()
	if err := <-after; err != nil {
		t.Errorf("a commit after the holder went on: %v", err)
	}
	if got := string(getOne(t, s, "k").Value); got != "after" {
		t.Errorf("reads %q in the end: what was refused was applied later", got)
	}
}

// TestCloseDuringFreeze: Close does not wait for a process that is stopped.
func TestCloseDuringFreeze(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, WithWait(time.Minute))
	holder := spawn(t, "hold", path)
	holder.Says("held")
	holder.Freeze()
	outcome := make(chan error, 1)
	go func() { _, err := putOne(s, "k", "v", true); outcome <- err }()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-outcome; !errors.Is(err, kv.ErrClosed) {
		t.Errorf("a commit that waited: %v, want %v", err, kv.ErrClosed)
	}
}

// TestStoppedAtRandom: a process that is stopped at any moment of its work keeps
// others from committing at most, certainly, and from nothing when it goes on.
func TestStoppedAtRandom(t *testing.T) {
	const rounds = 15
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, WithWait(60*time.Millisecond))
	patient := openStore(t, path, WithWait(time.Minute))
	writer := spawn(t, "write", path, "w")
	writer.Begin()
	refused := make(map[string]bool)
	for i := range rounds {
		writer.Says("")
		writer.Freeze()
		key := fmt.Sprintf("k/%d", i)
		_, err := putOne(s, key, "v", true)
		if err != nil && (!errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrUnknown)) {
			t.Errorf("a commit while another process is stopped: %v", err)
		}
		refused[key] = err != nil
		getOne(t, s, key)
		writer.Thaw()
		mustPut(t, patient, "patient", key)
	}
	stopped := 0
	for key, was := range refused {
		if was {
			stopped++
		}
		if e := getOne(t, s, key); e.Exists() == was {
			t.Errorf("key %s was refused: %v, and is there: %v", key, was, e.Exists())
		}
	}
	t.Logf("%d of %d times the process was stopped in its commit", stopped, rounds)
}
