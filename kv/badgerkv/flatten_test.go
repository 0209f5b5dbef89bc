package badgerkv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestFlatten looks for deleted and overwritten values in the files.
func TestFlatten(t *testing.T) {
	dir := newDir(t)
	store := open(t, dir)
	for round := range 3 {
		for i := range 200 {
			put(t, store, fmt.Sprint(i), fmt.Sprintf("secret-%d-%d", round, i))
		}
		mustClose(t, store)
		store = open(t, dir)
	}
	put(t, store, "long", strings.Repeat("secret-", 200_000)) // in pieces
	old := put(t, store, "kept", "secret-old")
	view := store.Snapshot()
	if _, err := view.Version(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := &kv.Batch{ID: kv.NewCommitID(old), Writes: []kv.Write{{Key: "kept", Value: []byte("visible")}, {Key: "long", Value: []byte("short")}}}
	for i := range 200 {
		b.Writes = append(b.Writes, kv.Write{Key: fmt.Sprint(i), Delete: true})
	}
	commit(t, store, b)

	if err := store.Flatten(t.Context()); err != nil {
		t.Fatal(err)
	}
	if entries, err := view.Get(t.Context(), "kept", "7"); err != nil || string(entries[0].Value) != "secret-old" || string(entries[1].Value) != "secret-2-7" {
		t.Errorf("an open snapshot shows %v, %v", entries, err)
	}
	view.Close()
	if err := store.Flatten(t.Context()); err != nil {
		t.Fatal(err)
	}
	if file := findIn(t, dir, "secret-"); file != "" {
		t.Errorf("%s still has a deleted value", file)
	}
	if findIn(t, dir, "visible") == "" {
		t.Error("the value that was kept is in no file: the search finds nothing")
	}
	put(t, store, "more", "1")
	mustClose(t, store)
	if got := content(t, open(t, dir)); len(got) != 3 || got["kept"] != "visible" {
		t.Errorf("left is %v", got)
	}
}

// findIn returns a file that has a text in it.
func findIn(t *testing.T, dir, text string) string {
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if filepath.Ext(name) == ".sock" {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(text)) {
			return filepath.Base(name)
		}
	}
	return ""
}

func TestFlattenEnds(t *testing.T) {
	store := open(t, newDir(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := store.Flatten(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v, want it", err)
	}
	mustClose(t, store)
	if err := store.Flatten(t.Context()); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("after Close: %v, want kv.ErrClosed", err)
	}
}
