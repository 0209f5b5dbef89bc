package main

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// cmdLag is "lag WITNESS": the file forgets what it has seen since it was made.
func cmdLag(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: lag WITNESS")
	}
	const secondSlot, size = 256 + 16, 4096
	file, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY, 0)
	ts.Check(err)
	defer file.Close()
	_, err = file.WriteAt(make([]byte, size-secondSlot), secondSlot)
	ts.Check(err)
}

// cmdBlank is "blank FILE": an SQLite store has lost all that was in it, and
// nothing that lies beside it.
func cmdBlank(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: blank FILE")
	}
	dir, err := os.MkdirTemp("", "blank")
	ts.Check(err)
	defer os.RemoveAll(dir)
	fresh := filepath.Join(dir, "fresh.db")
	s, err := sqlitekv.Open(fresh)
	ts.Check(err)
	ts.Check(s.Close())
	data, err := os.ReadFile(fresh)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}
