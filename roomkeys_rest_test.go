//go:build unix

package pawl_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/matrix"
)

var atRest = flag.Int("rest.messages", 2000, "how many messages of rooms are read before what they cost at rest is measured; from 100000 on it must be little")

// maxAtRest is what one message of a room may cost at rest, in bytes, on Badger.
const maxAtRest = 200

// aSession is how many messages a session of a room has, as clients rotate them.
const aSession = 100

// TestRoomEventsAtRest measures what it costs at rest that an event was read: which
// event has which message, and what the engine keeps of each commit.
func TestRoomEventsAtRest(t *testing.T) {
	engines := map[string]func(path string) (kv.Store, error){
		"sqlite": func(path string) (kv.Store, error) { return sqlitekv.Open(filepath.Join(path, "store.db")) },
	}
	if badgerRuns {
		engines["badger"] = openBadger
	}
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			run := func(do func(m *device)) int64 {
				store, err := open(dir)
				if err != nil {
					t.Fatal(err)
				}
				d := &device{t: t, ctx: t.Context(), kv: store, clock: &clock{}}
				d.store = openStore(t, store, testKey)
				if d.Machine, err = d.store.Machine(d.ctx, "@alice:example.org", "DEVICE"); err != nil {
					if d.Machine, err = d.store.Create(d.ctx, "@alice:example.org", "DEVICE"); err != nil {
						t.Fatal(err)
					}
				}
				do(d)
				if err := d.store.Erase(t.Context()); err != nil { // Flatten
					t.Fatal(err)
				}
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
				return allocated(t, dir)
			}
			senders := make([]*roomSender, (*atRest+aSession-1)/aSession)
			before := run(func(d *device) {
				keys := make([]pawl.RoomKey, len(senders))
				for i := range senders {
					senders[i] = newRoomSender(t)
					keys[i] = senders[i].exported()
				}
				if done, err := d.ImportRoomKeys(t.Context(), keys); err != nil || done.New != len(keys) {
					t.Fatalf("%+v, %v", done, err)
				}
			})
			after := run(func(d *device) {
				for i := range *atRest {
					// Rooms talk side by side.
					e := senders[i%len(senders)].event(matrix.EventID(fmt.Sprintf("$%043d", i)))
					if _, err := d.DecryptRoomEvent(context.Background(), e); err != nil {
						t.Fatal(err)
					}
				}
			})
			each := float64(after-before) / float64(*atRest)
			t.Logf("%d messages of %d sessions: %.0f bytes each at rest", *atRest, len(senders), each)
			if name == "badger" && *atRest >= 100_000 && each > maxAtRest {
				t.Errorf("a message costs %.0f bytes at rest, more than %d", each, maxAtRest)
			}
		})
	}
}

// allocated returns what the files of a directory take of the disk.
func allocated(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		n += int64(info.Sys().(*syscall.Stat_t).Blocks) * 512
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
