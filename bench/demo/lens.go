package demo

import (
	"context"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// lens is what a process sees of its store. It changes nothing and notes which
// versions of session records a step was computed from and stored. One step
// uses it at a time.
type lens struct {
	kv.Store
	read, wrote []look
}

// Unwrap implements kv.Wrapper.
func (l *lens) Unwrap() kv.Store { return l.Store }

// Snapshot implements kv.Store. What an earlier attempt read does not count.
func (l *lens) Snapshot() kv.Snapshot {
	l.read = nil
	return &lensSnapshot{l.Store.Snapshot(), l}
}

// Commit implements kv.Store.
func (l *lens) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	v, err := l.Store.Commit(ctx, b)
	if err != nil {
		return v, err
	}
	for _, w := range b.Writes {
		if isSession(w.Key) {
			l.wrote = append(l.wrote, look{w.Key, v})
		}
	}
	return v, nil
}

type lensSnapshot struct {
	kv.Snapshot
	lens *lens
}

// Get implements kv.Snapshot.
func (s *lensSnapshot) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	entries, err := s.Snapshot.Get(ctx, keys...)
	for _, e := range entries {
		if isSession(e.Key) && e.Exists() {
			s.lens.read = append(s.lens.read, look{e.Key, e.Version})
		}
	}
	return entries, err
}

// isSession reports whether a key is of a session record: the kinds of records
// can be read in their keys.
func isSession(key string) bool { return strings.Contains(key, "/session/") }
