package pawl_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/matrix"
)

// TestRoomKeyFromAnotherProcess: on each engine, who waits and who reads events are
// woken by what another handle stores, long before they would look again.
func TestRoomKeyFromAnotherProcess(t *testing.T) {
	memory := newMemory()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "store.db")
	engines := map[string]func() kv.Store{
		"memory": func() kv.Store { return memory },
		"sqlite": func() kv.Store { return opened(t)(sqlitekv.Open(file)) },
	}
	if badgerRuns {
		engines["badger"] = func() kv.Store { return opened(t)(badgerkv.Open(dir)) }
	}
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			here := newDevice(t, open(), "@alice:example.org")
			there := here.on(open())
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			told := make(chan pawl.Event, 100)
			go func() {
				for e, err := range here.Events(ctx, "") {
					if err == nil {
						told <- e
					} else if ctx.Err() == nil {
						t.Error(err)
					}
				}
			}()
			for n := range uint32(5) {
				key, err := newRoomSender(t).Key().Advance(n)
				if err != nil {
					t.Fatal(err)
				}
				woken := make(chan error, 1)
				go func() { woken <- here.WaitForRoomKey(ctx, testRoom, key.ID(), "@bob:example.org") }()
				source := group.Source{Provenance: group.File, Sender: [32]byte{1}}
				if _, err := there.ImportRoomKeys(ctx, []pawl.RoomKey{{Room: testRoom, Key: key, Source: source}}); err != nil {
					t.Fatal(err)
				}
				stored := time.Now()
				if err := <-woken; err != nil {
					t.Fatal(err)
				}
				t.Logf("awake after %v", time.Since(stored))
				for e := range told {
					if e.Kind == pawl.EventRoomKey && e.Session == key.ID() {
						if e.Room != testRoom || e.Index != n || e.Kind.String() != "room key" || e.Position == "" {
							t.Errorf("%+v", e)
						}
						break
					}
				}
				t.Logf("told after %v", time.Since(stored))
			}
		})
	}
	m := newDevice(t, newMemory(), "@alice:example.org")
	if err := m.WaitForRoomKey(t.Context(), "room", group.SessionID{}, ""); !errors.Is(err, matrix.ErrRoomID) {
		t.Errorf("of no room: %v", err)
	}
}
