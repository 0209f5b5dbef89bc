package rooms_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

var (
	processes = effort.Flag("rooms.processes", 3, 2, "processes that encrypt in one room")
	messages  = effort.Flag("rooms.messages", 60, 30, "that they encrypt together")
	engines   = effort.Flag("rooms.engines", 1, 1, "1: SQLite; 2: Badger too")
)

// childOf names a store, in the environment of a process that encrypts.
const childOf = "PAWL_ROOMS_STORE"

func TestMain(m *testing.M) {
	if at := os.Getenv(childOf); at != "" {
		if err := child(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func openEngine(at string) (kv.Store, error) {
	if strings.HasSuffix(at, "badger") {
		return badgerkv.Open(at)
	}
	return sqlitekv.Open(at)
}

// child encrypts until the session is used up, and says each index once it may leave.
func child(at string) error {
	store, err := openEngine(at)
	if err != nil {
		return err
	}
	defer store.Close()
	h, err := openRooms(context.Background(), store)
	if err != nil {
		return err
	}
	for {
		raw, err := h.Encrypt(context.Background(), room, "m.room.message", []byte(`{"body":"text"}`), rooms.Form{})
		switch {
		case errors.Is(err, rooms.ErrRotate):
			return nil
		case errors.Is(err, kv.ErrUnavailable), errors.Is(err, kv.ErrUnknown):
			continue // the owner was killed
		case err != nil:
			return err
		}
		e, err := parseEvent(raw)
		if err != nil {
			return err
		}
		fmt.Println(e.session, e.message.Index)
	}
}

// TestIndexOnceInProcesses: processes that are killed and started again while they
// encrypt use each index of the session once, and all of them.
func TestIndexOnceInProcesses(t *testing.T) {
	if testing.Short() && raceEnabled {
		t.Skip("processes are slow with the race detector")
	}
	names := []string{"sqlite", "badger"}[:engines()]
	for _, name := range names {
		t.Run(name, func(t *testing.T) { indexOnce(t, filepath.Join(t.TempDir(), name)) })
	}
}

func indexOnce(t *testing.T, at string) {
	store, err := openEngine(at)
	must(t, err)
	w := newWorldOn(t, store)
	w.now = time.Now() // as it is for the processes
	w.add(bob, "B1")
	defer func(s rooms.Settings) { settings = s }(settings)
	settings.Messages = messages()
	w.handle().shareAll(bob)
	must(t, store.Close())

	said := newIndices(messages())
	var running gosync.WaitGroup
	for range processes() {
		running.Go(func() {
			for said.left() {
				if err := said.process(t.Context(), at); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	said.judge(t)
}

// indices are those that processes said they used.
type indices struct {
	mu    gosync.Mutex
	used  map[string]int
	most  int
	ended atomic.Bool
}

func newIndices(most int) *indices { return &indices{used: map[string]int{}, most: most} }

func (x *indices) left() bool { return !x.ended.Load() }

// process lets one process encrypt, and kills it after some messages, most times.
func (x *indices) process(ctx context.Context, at string) error {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childOf+"="+at)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	kill := 1 + rand.IntN(max(x.most/4, 2))
	for lines := bufio.NewScanner(out); lines.Scan(); kill-- {
		x.say(lines.Text())
		if kill == 0 {
			cmd.Process.Kill()
		}
	}
	err = cmd.Wait()
	if err == nil {
		x.ended.Store(true) // the session is used up
		return nil
	}
	if kill > 0 {
		return fmt.Errorf("a process that nobody killed: %w: %s", err, stderr.String())
	}
	return nil
}

func (x *indices) say(line string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.used[line]++
}

func (x *indices) judge(t *testing.T) {
	sessions := map[string]bool{}
	for line, n := range x.used {
		session, index, _ := strings.Cut(line, " ")
		sessions[session] = true
		if i, err := strconv.Atoi(index); n != 1 || err != nil || i >= x.most {
			t.Errorf("index %q was used %d times, %v", index, n, err)
		}
	}
	// What a process used that was killed before it said so is not known.
	if len(sessions) != 1 || len(x.used) == 0 {
		t.Errorf("%d indices of %d sessions", len(x.used), len(sessions))
	}
	t.Logf("%d of %d indices were said", len(x.used), x.most)
}
