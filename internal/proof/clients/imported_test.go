package clients

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/matrix"
)

// The command that takes over devices of mautrix-go.
var importer = builtFrom("goolm", "importer", "./cmd/pawl-mautrix")

// A bot of mautrix-go stops, or is killed. While it is away five of its one-time keys
// are claimed by nobody who uses them, a new device comes, and its peers say 20 things.
// It is imported, and Pawl goes on as the same device: it reads all that was ever said,
// its keys are in one request each, and all peers read what it says.
func TestImportedFromMautrix(t *testing.T) {
	for engine, store := range map[string]string{"badger": "bot.pawl", "sqlite": "sqlite:bot.db"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel() // they wait more than they compute
			needKinds(t, "node")
			y := tell(t, cast{stockKind, "mautrix"}, nil)
			y.meet(bob)
			y.cast.peer = "node"
			y.peer(carol, "LAPTOP").join(y.room)
			y.settle()
			for i := range 3 {
				y.talk(fmt.Sprint("before ", i))
			}

			if engine == "sqlite" {
				y.mine.kill(0) // a log stays beside the database
			} else if y.mine.processes[0].gone = true; y.mine.processes[0].Quit(context.WithoutCancel(t.Context())) != nil {
				t.Fatal("the bot does not quit")
			}
			y.claim(5)
			y.peer(dave, "TABLET").join(y.room)
			settle(t, y.server, y.peers...)
			var unread []matrix.EventID
			for i := range 20 {
				unread = append(unread, y.says(y.peers[i%len(y.peers)], fmt.Sprint("unread ", i)))
			}

			before := digests(t, y.mine.store)
			y.take(store, "--dry-run")
			if after := digests(t, y.mine.store); !maps.Equal(before, after) {
				t.Error("a dry run changed something")
			}
			y.take(store)
			for name, digest := range digests(t, y.mine.store) {
				if was, there := before[name]; there && was != digest {
					t.Errorf("%s was changed", name)
				}
			}

			y.mine.kind = exampleKind + engine
			y.mine.revive(0)
			for _, id := range unread {
				if a, err := y.reads(y.mine.processes[0], id, patience/4); err != nil {
					t.Errorf("%s is not read: %+v, %v", id, a, err)
				}
			}
			for i := range 3 {
				y.talk(fmt.Sprint("after ", i))
			}
		})
	}
}

// take imports the device of the stock bot for the bot that has Pawl.
func (y *story) take(store string, flags ...string) {
	y.t.Helper()
	dir := y.t.TempDir()
	for name, text := range map[string]string{"key": "a pickle key", "passphrase": "a passphrase; yours is not in the program"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			y.t.Fatal(err)
		}
	}
	args := append([]string{
		"import", store, "--from", "mautrix", "own.db", "--pickle-key-file", filepath.Join(dir, "key"),
		"--passphrase-file", filepath.Join(dir, "passphrase"), "--retired", "--json",
	}, flags...)
	cmd := exec.CommandContext(y.t.Context(), importer(y.t), args...)
	cmd.Dir, cmd.Stderr = y.mine.store, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		y.t.Fatalf("the import: %v\n%s", err, out)
	}
	var r struct {
		User     matrix.UserID
		Device   matrix.DeviceID
		Sessions int
		Token    bool `json:"sync_token"`
		Rooms    int  `json:"encrypted_rooms"`
		Unread   []any
		RoomKeys struct{ Given int } `json:"room_keys"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		y.t.Fatal(err)
	}
	if r.User != y.mine.User || r.Device != y.mine.ID || r.Sessions < 2 || !r.Token || r.Rooms != 1 || len(r.Unread) != 0 || r.RoomKeys.Given < 3 {
		y.t.Fatalf("imported is %s", out)
	}
}

// digests are those of all files below a directory.
func digests(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	all := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = sha256.Sum256(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
