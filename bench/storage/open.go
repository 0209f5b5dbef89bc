package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// fillBatch is how many sessions are stored in one commit.
const fillBatch = 2000

// fill stores sessions.
func fill(store kv.Store, sessions, size int) error {
	value := make([]byte, size)
	for first := 0; first < sessions; first += fillBatch {
		b := &kv.Batch{ID: kv.NewCommitID(0)}
		for i := first; i < min(first+fillBatch, sessions); i++ {
			b.Writes = append(b.Writes, kv.Write{Key: sessionKey(i), Value: value})
		}
		if _, err := store.Commit(context.Background(), b); err != nil {
			return err
		}
	}
	return nil
}

// sessionKey spreads sessions over the keys, as blinded names do.
func sessionKey(i int) string {
	return fmt.Sprintf("account/session/%016x", uint64(i)*0x9e3779b97f4a7c15)
}

// timeOpen returns the median time to open a store of many sessions, its check
// included.
func timeOpen(dir string, config Config) (time.Duration, error) {
	if err := makeStore(dir, config.Sessions, config.Value); err != nil {
		return 0, err
	}
	var times []time.Duration
	for range config.Rounds {
		start := time.Now()
		store, err := badgerkv.Open(dir)
		if err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
		if err := store.Close(); err != nil {
			return 0, err
		}
	}
	return median(times), nil
}

// makeStore makes a store of sessions, lets Badger merge what it would merge
// later anyhow, and closes it.
func makeStore(dir string, sessions, size int) error {
	store, err := badgerkv.Open(dir)
	if err != nil {
		return err
	}
	err = fill(store, sessions, size)
	if err == nil {
		err = store.Flatten(context.Background())
	}
	return errors.Join(err, store.Close())
}
