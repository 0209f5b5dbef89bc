package wire_test

import "testing"

func BenchmarkGet(b *testing.B) {
	store := remote(b)
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
