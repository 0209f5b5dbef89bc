package sqlitekv

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

func openStore(t testing.TB, path string, options ...Option) *Store {
	t.Helper()
	s, err := Open(path, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func getOne(t testing.TB, s kv.Store, key string) kv.Entry {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	entries, err := snap.Get(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	return entries[0]
}

func mustPut(t testing.TB, s *Store, key, value string) kv.Version {
	t.Helper()
	version, err := putOne(s, key, value, true)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// Sizes of TestProcessesCount.
const (
	counting   = 8
	increments = 25
)

// TestProcessesCount: of many processes that add to one number all get through,
// and no addition is lost or counted twice.
func TestProcessesCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	var children []*child
	for range counting {
		children = append(children, spawn(t, "count", path, fmt.Sprint(increments)))
	}
	for _, c := range children {
		c.begin(t)
	}
	for _, c := range children {
		text := c.line()
		if !strings.HasPrefix(text, fmt.Sprintf("done %d ", increments)) {
			t.Fatalf("a child ended with %q", text)
		}
		t.Log(text)
	}
	s := openStore(t, path)
	if got := string(getOne(t, s, "n").Value); got != strconv.Itoa(counting*increments) {
		t.Errorf("the number is %s, want %d", got, counting*increments)
	}
}

// killRounds is how many times TestKilled kills everybody.
const killRounds = 6

// TestKilled: whenever processes are killed, all that they said was committed is
// there, and the file is whole.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	rng := rand.New(rand.NewPCG(1, 2))
	acknowledged := make(map[string]string)
	for round := range killRounds {
		var children []*child
		for i := range 4 {
			children = append(children, spawn(t, "write", path, fmt.Sprintf("%d.%d", round, i)))
		}
		for _, c := range children {
			c.begin(t)
		}
		for range 20 + rng.IntN(100) {
			hear(children[rng.IntN(len(children))], acknowledged)
		}
		for _, c := range children {
			c.Process.Kill()
		}
		for _, c := range children {
			for hear(c, acknowledged) {
			}
		}
		checkAcknowledged(t, path, acknowledged)
	}
}

// hear notes what a child says, until there is no more.
func hear(c *child, acknowledged map[string]string) bool {
	key, version, found := strings.Cut(c.line(), " ")
	if found {
		acknowledged[key] = version
	}
	return found
}

func checkAcknowledged(t *testing.T, path string, acknowledged map[string]string) {
	t.Helper()
	s := openStore(t, path)
	defer s.Close()
	if err := s.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	for key, version := range acknowledged {
		if e := getOne(t, s, key); fmt.Sprint(e.Version) != version || !strings.HasPrefix(string(e.Value), key) {
			t.Fatalf("key %s has version %d and %d bytes, want version %s", key, e.Version, len(e.Value), version)
		}
	}
}

// TestUnsyncedBeforeSynced: a process that is killed leaves its unsynced commits
// to others, in order before their synced ones.
func TestUnsyncedBeforeSynced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	other := spawn(t, "unsync", path, "20")
	other.begin(t)
	last := other.line()
	s := openStore(t, path)
	version := mustPut(t, s, "synced", "v")
	if fmt.Sprint(version-1) != last {
		t.Errorf("the synced commit has version %d, the last unsynced one %s", version, last)
	}
	other.Process.Kill()
	other.Wait()
	s.Close()
	s = openStore(t, path)
	for i := range 20 {
		if e := getOne(t, s, fmt.Sprintf("unsynced/%d", i)); int(e.Version) != i+1 {
			t.Errorf("unsynced commit %d has version %d", i, e.Version)
		}
	}
}

// TestWatchSeesOthers: a watch is told of what another process commits.
func TestWatchSeesOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	other := spawn(t, "write", path, "other")
	told := make(chan kv.Change, 1000)
	go func() {
		for c, err := range s.Watch(t.Context(), "other/", 1) {
			if err != nil {
				return
			}
			told <- c
		}
	}()
	other.begin(t)
	for i := range 20 {
		if c := <-told; c.Key != fmt.Sprintf("other/%d", i) || int(c.Version) != i+2 {
			t.Fatalf("told of %+v, want other/%d at version %d", c, i, i+2)
		}
	}
}
