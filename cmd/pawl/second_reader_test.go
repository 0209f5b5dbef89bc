package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/matrix"
)

// TestSecondReaderOfMany: a program in Python that has nothing of Pawl prints of a store
// with two accounts, which have peers and lost their witness, what inspect prints.
// TestSecondReader in internal/proof/port has it read what older versions left.
func TestSecondReaderOfMany(t *testing.T) {
	python, err := filepath.Abs("../../build/port/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("../../build/port/installed"); err != nil {
		if os.Getenv("PAWL_PYTHON") != "" {
			t.Fatal("make build/port/installed has not been run: ", err)
		}
		t.Skip("without PyNaCl in Python there is no second reader: make build/port/installed")
	}
	p := place{sqlite: true, path: filepath.Join(t.TempDir(), "store.db")}
	key := [32]byte{3}
	openSQLite(t, p.path, func(engine kv.Store) { populate(t, openPawl(t, engine, key)) })
	if err := os.Remove(p.path + ".witness"); err != nil {
		t.Fatal(err)
	}
	openSQLite(t, p.path, func(engine kv.Store) { openPawl(t, engine, key) }) // both are marked

	list := write(t, filepath.Join(t.TempDir(), "images.json"), fmt.Sprintf(`{"vectors":[{"path":"store.db","key":"%s"}]}`, hex.EncodeToString(key[:])))
	got, err := exec.CommandContext(t.Context(), python, "../../examples/python/inspect_store.py", p.path, list).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	line := "pawl-key-1 " + base64.RawStdEncoding.EncodeToString(key[:]) + "\n"
	if err := os.WriteFile(p.keyFile(), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	want := stdoutOf(t, "inspect", p.String())
	if !bytes.Equal(got, want) {
		t.Errorf("it prints\n%s\nand pawl inspect prints\n%s", got, want)
	}
	if n := bytes.Count(want, []byte("\n  peer ")); n != 2*peers || bytes.Count(want, []byte("recovery")) != 2 {
		t.Errorf("it shows %d peers, want %d, and two accounts to be recovered:\n%s", n, 2*peers, want)
	}
}

// peers is how many of them each account has: their keys come in any order.
const peers = 5

func openSQLite(t *testing.T, path string, do func(kv.Store)) {
	t.Helper()
	engine, err := sqlitekv.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	do(engine)
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
}

func openPawl(t *testing.T, engine kv.Store, key [32]byte) *pawl.Store {
	t.Helper()
	s, err := pawl.Open(t.Context(), engine, pawl.WithKey(key))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// populate makes two accounts that each have written to peers, and been answered.
func populate(t *testing.T, s *pawl.Store) {
	t.Helper()
	ctx, far := t.Context(), openPawl(t, memkv.New(), [32]byte{4})
	for _, user := range []matrix.UserID{"@zoë:example.org", "@alice:example.org"} {
		m, err := s.Create(ctx, user, "PHONE")
		if err != nil {
			t.Fatal(err)
		}
		own, _ := m.Identity(ctx)
		for i := range peers {
			peer, err := far.Create(ctx, matrix.UserID(fmt.Sprintf("@of-%d%s", i, user[1:])), "PHONE")
			if err != nil {
				t.Fatal(err)
			}
			theirs, _ := peer.Identity(ctx)
			upload, err := peer.KeysForUpload(ctx, 1)
			var body struct {
				Keys map[string]struct{ Key string } `json:"one_time_keys"`
			}
			if err := errors.Join(err, json.Unmarshal(upload.Body, &body)); err != nil {
				t.Fatal(err)
			}
			for _, k := range body.Keys {
				said, sending := m.Encrypt(ctx, theirs.Curve25519, []byte("hello"), pawl.WithOneTimeKey(keyOf(t, k.Key)))
				_, reading := peer.Decrypt(ctx, own.Curve25519, said.Message)
				_, losing := peer.Encrypt(ctx, own.Curve25519, []byte("never arrives"))
				said, answering := peer.Encrypt(ctx, own.Curve25519, []byte("hello yourself"))
				_, err := m.Decrypt(ctx, theirs.Curve25519, said.Message)
				if err := errors.Join(sending, reading, losing, answering, err); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
