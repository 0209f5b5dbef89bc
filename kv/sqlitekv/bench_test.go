package sqlitekv

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

func benchStore(b *testing.B, options ...Option) *Store {
	b.Helper()
	s, err := Open(filepath.Join(b.TempDir(), "store.db"), options...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkCommit makes durable commits of one value of 500 bytes each, from
// one goroutine and from many.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := benchStore(b)
			value := strings.Repeat("v", 500)
			var next atomic.Int64
			b.SetParallelism(writers)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := putOne(s, fmt.Sprintf("k/%d", next.Add(1)%10000), value, true); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkUnsynced makes commits that power loss may take back.
func BenchmarkUnsynced(b *testing.B) {
	s := benchStore(b)
	value := strings.Repeat("v", 500)
	for i := 0; b.Loop(); i++ {
		if _, err := putOne(s, fmt.Sprintf("k/%d", i%10000), value, false); err != nil {
			b.Fatal(err)
		}
	}
}

// fillStore writes n values of 500 bytes.
func fillStore(b *testing.B, s *Store, n int) {
	b.Helper()
	value := []byte(strings.Repeat("v", 500))
	for i := 0; i < n; {
		batch := &kv.Batch{ID: kv.NewCommitID(0)}
		for ; i < n && len(batch.Writes) < 1000; i++ {
			batch.Writes = append(batch.Writes, kv.Write{Key: fmt.Sprintf("k/%d", i), Value: value})
		}
		if _, err := s.Commit(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGet takes a snapshot and reads 1 or 10 keys of 10,000 through it.
func BenchmarkGet(b *testing.B) {
	const stored = 10000
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			s := benchStore(b)
			fillStore(b, s, stored)
			keys := make([]string, n)
			for b.Loop() {
				for i := range keys {
					keys[i] = fmt.Sprintf("k/%d", rand.IntN(stored))
				}
				snap := s.Snapshot()
				if _, err := snap.Get(context.Background(), keys...); err != nil {
					b.Fatal(err)
				}
				snap.Close()
			}
		})
	}
}

// BenchmarkOpen opens a store of 10,000 values.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "store.db")
	s, err := Open(path)
	if err != nil {
		b.Fatal(err)
	}
	fillStore(b, s, 10000)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheck reads all of a store of 10,000 values.
func BenchmarkCheck(b *testing.B) {
	s := benchStore(b)
	fillStore(b, s, 10000)
	for b.Loop() {
		if err := s.Check(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkViews opens 100 views at once, each of which needs a connection.
func BenchmarkViews(b *testing.B) {
	s := benchStore(b)
	fillStore(b, s, 1000)
	for b.Loop() {
		var views []kv.Snapshot
		for range 100 {
			view := s.Snapshot()
			if _, err := view.Get(context.Background(), "k/1"); err != nil {
				b.Fatal(err)
			}
			views = append(views, view)
		}
		for _, view := range views {
			view.Close()
		}
	}
}
