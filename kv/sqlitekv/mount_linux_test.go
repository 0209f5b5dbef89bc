package sqlitekv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pawlkv/pawl/kv"
)

// mounted returns a directory on a small file system of its own, "" without the
// right to mount one; TestFull covers those machines.
func mounted(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Logf("no file system of our own: %v", err)
		return ""
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// TestFullDisk: a full disk refuses commits and loses none, reading goes on, and
// so does everything once there is room.
func TestFullDisk(t *testing.T) {
	dir := mounted(t, "3m")
	if dir == "" {
		return
	}
	path := filepath.Join(dir, "store.db")
	s := openStore(t, path)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	versions := make(map[string]kv.Version)
	refused := 0
	for i := 0; refused < 20; i++ {
		key := fmt.Sprintf("k/%d", i)
		version, err := putOne(s, key, strings.Repeat("v", 30000>>(refused/2)), i%2 == 0)
		switch {
		case err == nil:
			versions[key] = version
		case errors.Is(err, kv.ErrDiskFull) && !errors.Is(err, kv.ErrUnknown):
			refused++
			if e := getOne(t, s, key); e.Exists() {
				t.Fatalf("key %s was refused and is there", key)
			}
		default:
			t.Fatalf("a commit on a full disk: %v, want %v", err, kv.ErrDiskFull)
		}
	}
	if other, err := Open(path); err == nil {
		other.Close()
	} else if !errors.Is(err, kv.ErrDiskFull) {
		t.Errorf("open on a full disk: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	versions["more"] = mustPut(t, s, "more", strings.Repeat("v", 30000))
	if err := s.Check(context.Background()); err != nil {
		t.Error(err)
	}
	for key, version := range versions {
		if e := getOne(t, s, key); e.Version != version {
			t.Errorf("key %s is at version %d, want %d", key, e.Version, version)
		}
	}
	t.Logf("%d commits fitted", len(versions))
}

// TestOpenOnFullDisk: neither a new store nor one that was not closed is opened
// where there is no room for it, and both are when there is.
func TestOpenOnFullDisk(t *testing.T) {
	dir := mounted(t, "3m")
	if dir == "" {
		return
	}
	there, filler := filepath.Join(dir, "store.db"), filepath.Join(dir, "filler")
	s := openStore(t, there)
	mustPut(t, s, "k", "v")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for room := 0; room < 1<<20; room += 16 << 10 {
		if err := os.WriteFile(filler, make([]byte, 4<<20), fileMode); !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
		info, err := os.Stat(filler)
		if err == nil {
			err = os.Truncate(filler, max(0, info.Size()-int64(room)))
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{there, filepath.Join(dir, "new.db")} {
			s, err := Open(path)
			if err == nil {
				err = s.Close()
			}
			if err != nil && (!errors.Is(err, kv.ErrDiskFull) || errors.Is(err, kv.ErrUnavailable)) {
				t.Errorf("%s with %d bytes free: %v, want %v", filepath.Base(path), room, err, kv.ErrDiskFull)
			}
			if err == nil && room == 0 {
				t.Errorf("%s needs no room", filepath.Base(path))
			}
		}
		for _, suffix := range []string{"", gateSuffix, turnsSuffix, logSuffix, indexSuffix, newSuffix} {
			os.Remove(filepath.Join(dir, "new.db") + suffix)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	if e := getOne(t, openStore(t, there), "k"); string(e.Value) != "v" {
		t.Errorf("value %q after all that", e.Value)
	}
}

// TestReadOnlyDisk: a store that cannot be written is not opened.
func TestReadOnlyDisk(t *testing.T) {
	dir := mounted(t, "3m")
	if dir == "" {
		return
	}
	path := filepath.Join(dir, "store.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, filepath.Join(dir, "new.db")} {
		if _, err := Open(path); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("open %s on a read-only disk: %v, want %v", filepath.Base(path), err, kv.ErrUnusable)
		}
	}
}

// TestMounts: a store in a directory that is mounted in two places is one store,
// and a file that is mounted by itself is none, since the log lies beside it.
func TestMounts(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "first")
	bind := func(from, to string) {
		t.Helper()
		if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Unmount(to, unix.MNT_DETACH) })
	}
	if there := mounted(t, "1m"); there == "" {
		return
	}
	again, single := t.TempDir(), filepath.Join(t.TempDir(), "single.db")
	bind(dir, again)
	if err := os.WriteFile(single, nil, fileMode); err != nil {
		t.Fatal(err)
	}
	bind(path, single)
	other := openStore(t, filepath.Join(again, "store.db"))
	mustPut(t, other, "k", "second")
	if got := string(getOne(t, s, "k").Value); got != "second" {
		t.Errorf("the first reads %q of the second's", got)
	}
	mustPut(t, s, "k", "third")
	if got := string(getOne(t, other, "k").Value); got != "third" {
		t.Errorf("the second reads %q of the first's", got)
	}
	refused := func(when string) {
		t.Helper()
		if _, err := Open(single); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("a file that is mounted, %s: %v, want %v", when, err, kv.ErrUnusable)
		}
	}
	refused("open elsewhere")
	if err := errors.Join(s.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
	refused("closed elsewhere")
	if beside, _ := filepath.Glob(single + "*"); len(beside) != 1 {
		t.Errorf("beside it there is %q", beside)
	}
}
