package wire_test

import (
	"context"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

func BenchmarkGet(b *testing.B) {
	b.Run("alone", func(b *testing.B) { get(b, remote(b)) })
	b.Run("watching", func(b *testing.B) {
		store := remote(b)
		ctx, cancel := context.WithCancel(background)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		wg.Go(func() {
			for range store.Watch(ctx, "elsewhere", 0) {
			}
		})
		get(b, store)
	})
}

func get(b *testing.B, store kv.Store) {
	if _, err := store.Commit(background, batch("k", string(make([]byte, 500)))); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		snapshot := store.Snapshot()
		if _, err := snapshot.Get(background, "k"); err != nil {
			b.Fatal(err)
		}
		snapshot.Close()
	}
}

func BenchmarkCommit(b *testing.B) {
	store := remote(b)
	for b.Loop() {
		if _, err := store.Commit(background, batch("k", "v")); err != nil {
			b.Fatal(err)
		}
	}
}
