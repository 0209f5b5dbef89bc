package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// TestHeldLog: inspect tells of a log that a read keeps from beginning anew.
func TestHeldLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := sqlitekv.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(n int) {
		t.Helper()
		value := []byte(strings.Repeat(fmt.Sprintf("%08d", n), 128<<10))
		if _, err := s.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k", Value: value}}}); err != nil {
			t.Fatal(err)
		}
	}
	put(0)
	if log, err := heldLog(t.Context(), s); log != nil || err != nil {
		t.Errorf("a short log: %v, %v", log, err)
	}
	reader, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Exec(`BEGIN; SELECT count(*) FROM commits`); err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		put(n)
	}
	log, err := heldLog(t.Context(), s)
	if err != nil || log == nil || log.Bytes < 16<<20 {
		t.Fatalf("a log beside a read: %+v, %v", log, err)
	}
	var text strings.Builder
	if err := describeLog(&text, log); err != nil || !strings.Contains(text.String(), "waits for a process that is stopped") {
		t.Errorf("it is described as %q, %v", text.String(), err)
	}
	text.Reset()
	log.Processes = []int{17, 4711}
	if err := describeLog(&text, log); err != nil || !strings.Contains(text.String(), "waits for process 17, 4711, in the middle") {
		t.Errorf("with processes it is described as %q, %v", text.String(), err)
	}
	if err := errors.Join(reader.Exec(`COMMIT`), reader.Close()); err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		put(n)
	}
	if log, err := heldLog(t.Context(), s); log != nil || err != nil {
		t.Errorf("after the read: %+v, %v", log, err)
	}
	if log, err := heldLog(t.Context(), memkv.New()); log != nil || err != nil {
		t.Errorf("another engine: %+v, %v", log, err)
	}
}
