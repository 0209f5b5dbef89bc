package etcdtest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
)

// most is the largest batch that limits allow: each write checked, in scans of one entry.
func most(limits kv.Limits, round int) *kv.Batch {
	b := &kv.Batch{ID: kv.NewCommitID(0), Sync: true}
	for i := range limits.Writes {
		key := fmt.Sprintf("k/%06d", i)
		b.Writes = append(b.Writes, kv.Write{Key: key, Value: fmt.Append(nil, round)})
	}
	return b
}

// TestLimits: the largest batch is taken by a server with etcd's own limits, also with as
// many scans as checks and as a refusal that is recorded; and more by one that takes more.
func TestLimits(t *testing.T) {
	Each(t, func(t *testing.T, server Server) {
		c := Start(t, server, 1)
		s := storeOf(t, open(t, c), "alice")
		floor := kv.Floor()
		if got := s.Limits(); got.Bytes != floor.Bytes || got.Writes != 112 || got.Checks != kv.EmbeddedChecks || got.CommitIDs != kv.EmbeddedCommitIDs {
			t.Errorf("limits %+v", got)
		}
		checkMost(t, s)

		larger := Start(t, server, 1, "--max-txn-ops", "1024", "--max-request-bytes", fmt.Sprint(6<<20))
		s = storeOf(t, open(t, larger, etcdkv.WithMaxOps(1024), etcdkv.WithMaxRequestBytes(6<<20)), "alice")
		if got := s.Limits(); got.Bytes != 4<<20 || got.Writes != 1008 || got.Checks != kv.EmbeddedChecks {
			t.Errorf("limits %+v", got)
		}
		checkMost(t, s)

		told := storeOf(t, open(t, c, etcdkv.WithMaxOps(1024), etcdkv.WithMaxRequestBytes(6<<20)), "bob")
		if _, err := told.Commit(t.Context(), most(told.Limits(), 0)); !errors.Is(err, kv.ErrTooLarge) {
			t.Errorf("more operations than the server takes: %v, want %v", err, kv.ErrTooLarge)
		}
		b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k", Value: make([]byte, 3<<20)}}}
		if _, err := told.Commit(t.Context(), b); !errors.Is(err, kv.ErrTooLarge) {
			t.Errorf("more bytes than the server takes: %v, want %v", err, kv.ErrTooLarge)
		}
		for _, option := range []etcdkv.Option{etcdkv.WithMaxOps(100), etcdkv.WithMaxRequestBytes(1 << 20)} {
			if _, err := openErr(t, c, option); !errors.Is(err, kv.ErrInvalid) {
				t.Errorf("less than the floor: %v, want %v", err, kv.ErrInvalid)
			}
		}
	})
}

// checkMost commits the largest batches.
func checkMost(t *testing.T, s kv.Store) {
	t.Helper()
	limits := s.Limits()
	b := most(limits, 1)
	first, err := s.Commit(t.Context(), b)
	if err != nil {
		t.Fatalf("the largest batch: %v", err)
	}
	scans := most(limits, 2)
	for _, w := range scans.Writes {
		scans.Scans = append(scans.Scans, kv.ScanRead{Prefix: w.Key, Entries: []kv.Read{{Key: w.Key, Version: first}}})
	}
	second, err := s.Commit(t.Context(), scans)
	if err != nil {
		t.Fatalf("the largest batch, with %d scans: %v", len(scans.Scans), err)
	}
	late := most(limits, 3)
	late.Scans, late.Again = scans.Scans, true
	_, err = s.Commit(t.Context(), late)
	var conflict *kv.ConflictError
	if !errors.As(err, &conflict) || len(conflict.Prefixes) != len(late.Scans) {
		t.Fatalf("the same, stale and coming again: %v, want a conflict that names %d prefixes", err, len(late.Scans))
	}
	if _, err := s.Commit(t.Context(), late); !errors.Is(err, kv.ErrRefused) {
		t.Errorf("and again: %v, want %v", err, kv.ErrRefused)
	}
	whole := most(limits, 4)
	scan := kv.ScanRead{Prefix: "k/"}
	for _, w := range whole.Writes {
		scan.Entries = append(scan.Entries, kv.Read{Key: w.Key, Version: second})
	}
	whole.Scans = []kv.ScanRead{scan}
	if _, err := s.Commit(t.Context(), whole); err != nil {
		t.Errorf("the largest batch, with one scan of all: %v", err)
	}
}
