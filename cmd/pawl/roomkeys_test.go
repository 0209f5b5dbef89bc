package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/roomkeyfile"
)

// writeRoomKeys makes a file of the keys of n new sessions, and one with its passphrase.
func writeRoomKeys(t *testing.T, dir string, n int, room matrix.RoomID) (path, passphrase string) {
	t.Helper()
	path, passphrase = filepath.Join(dir, "keys.txt"), filepath.Join(dir, "word")
	if err := os.WriteFile(passphrase, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := roomkeyfile.NewWriter(file, rand.Reader, []byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range someRoomKeys(n, room) {
		if err := w.Add(k); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path, passphrase
}

// TestImportKilled: an import that is killed between two of its commits has imported
// what was committed, and the same import again ends as one that was not killed.
func TestImportKilled(t *testing.T) {
	for _, engine := range engines[:effort.Of(2, 1)] {
		t.Run(engine, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			run(t, "init", engine, "--user", "@alice:example.org", "--device", "PHONE")
			for try := range 5 {
				room := matrix.RoomID(fmt.Sprintf("!%d:example.org", try))
				const n = 8000
				path, word := writeRoomKeys(t, dir, n, room)
				args := []string{"room-keys", "import", engine, path, "--file-passphrase-file", word, "--json"}
				had := killWhen(t, engine, room, exec.Command("pawl", args...))
				for _, want := range []importedKeysJSON{{New: n - had, Same: had}, {Same: n}} {
					out, err := exec.Command("pawl", args...).Output()
					var got importedKeysJSON
					if err != nil || json.Unmarshal(out, &got) != nil || got.New != want.New || got.Same != want.Same || got.Better+got.Refused > 0 {
						t.Fatalf("after %d of %d were imported: %s, %v", had, n, out, err)
					}
				}
				run(t, "check", engine)
				if had < n {
					t.Logf("killed when %d of %d were imported", had, n)
					return
				}
			}
			t.Error("no import was killed before its end")
		})
	}
}

// killWhen starts an import and kills it as soon as some keys of a room are stored. It
// returns how many were.
func killWhen(t *testing.T, store string, room matrix.RoomID, cmd *exec.Cmd) (had int) {
	t.Helper()
	p, err := parsePlace(store)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	engine, err := p.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	key, err := keyfile.Read(p.keyFile())
	if err != nil {
		t.Fatal(err)
	}
	s, err := pawl.Open(ctx, engine, pawl.WithKey(key.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Machine(ctx, "@alice:example.org", "PHONE")
	if err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		for _, err := range m.ExportRoomKeys(ctx, pawl.RoomKeyExport{Rooms: []matrix.RoomID{room}}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	for count() == 0 {
		select {
		case <-ended:
			return count()
		default:
		}
	}
	_ = cmd.Process.Kill()
	<-ended
	return count()
}
