//go:build unix

package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// lookUser says in the environment of a process that it is to look at stores in a
// directory, as a user who is not root.
const lookUser = "PAWL_LOOK_USER"

// TestLookWithoutRights: whose stores they are looks at them where nothing may be
// written, at rest and while they are open, and where something may not be read is
// told so. Root may do everything, and has another user look.
func TestLookWithoutRights(t *testing.T) {
	dir := os.Getenv(lookUser)
	if dir == "" && os.Geteuid() == 0 {
		lookAsNobody(t)
		return
	}
	if dir == "" {
		dir = t.TempDir()
	}
	for _, prefix := range []string{"", sqlitePrefix} {
		t.Run("on "+prefix, func(t *testing.T) {
			lookWithoutRights(t, prefix, filepath.Join(dir, "of"+strings.TrimSuffix(prefix, ":")))
		})
	}
}

func lookAsNobody(t *testing.T) {
	const nobody = 65534
	dir := t.TempDir()
	text, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	if err := errors.Join(
		os.WriteFile(program, text, 0o755), os.Chmod(dir, 0o777), os.Chmod(filepath.Dir(dir), 0o755),
	); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^TestLookWithoutRights$", "-test.v")
	cmd.Env = append(os.Environ(), lookUser+"="+dir, "TMPDIR=/tmp")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// lookWithoutRights makes a store in a directory of its own and looks at it.
func lookWithoutRights(t *testing.T, prefix, dir string) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, "store")
	if out, err := pawlCommand("init", prefix+store, "--user", "@alice:example.org", "--device", "A"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	places := []string{dir}
	if prefix == "" {
		places = append(places, store)
	}
	mode := func(mode os.FileMode, paths ...string) {
		t.Helper()
		for _, path := range paths {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	defer mode(0o700, places...)

	mode(0o500, places...)
	lookAt(t, dir, prefix+store, "@alice:example.org")
	mode(0o700, places...)

	p, err := parsePlace(prefix + store)
	if err != nil {
		t.Fatal(err)
	}
	running, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mode(0o500, places...)
	for _, command := range []string{"inspect", "check"} {
		if out, err := pawlCommand(command, prefix+store); err != nil || !strings.Contains(out, "@alice:example.org") {
			t.Errorf("%s of a store that is open: %v\n%s", command, err, out)
		}
	}
	mode(0o700, places...)
	if p.sqlite {
		mode(0, p.path+"-wal")
		out, err := pawlCommand("keys", p.String())
		if !errors.Is(err, kv.ErrUnusable) || !strings.Contains(err.Error(), p.path+"-wal: permission denied") {
			t.Errorf("a log that may not be read: %v\n%s", err, out)
		}
		mode(0o600, p.path+"-wal")
	}
	if err := running.Close(); err != nil {
		t.Fatal(err)
	}

	for _, path := range unreadable(t, places, p) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		mode(0, path)
		for _, command := range []string{"inspect", "check"} {
			out, err := pawlCommand(command, prefix+store)
			if !errors.Is(err, kv.ErrUnusable) || errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrCorrupt) {
				t.Errorf("%s with %s that may not be read: %v, want %v\n%s", command, path, err, kv.ErrUnusable, out)
			}
		}
		mode(info.Mode().Perm(), path)
	}
	lookAt(t, dir, prefix+store, "@alice:example.org")
}

// unreadable are files and directories without which a store cannot be looked at.
func unreadable(t *testing.T, places []string, p place) (paths []string) {
	paths = append(slices.Clone(places), p.keyFile(), p.witnessFile())
	if p.sqlite {
		return append(paths, p.path)
	}
	tables, err := filepath.Glob(filepath.Join(p.path, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables %q, %v", tables, err)
	}
	return append(paths, tables[0], filepath.Join(p.path, "MANIFEST"), filepath.Join(p.path, "pawl.format"))
}

// TestLookRaisesNothing: a store of format 1 that is looked at is one of format 1
// afterwards, at rest and while a process has it open that has not raised it.
func TestLookRaisesNothing(t *testing.T) {
	key := [32]byte{1, 2, 3}
	line := "pawl-key-1 " + base64.RawStdEncoding.EncodeToString(key[:]) + "\n"
	for _, prefix := range []string{"", sqlitePrefix} {
		dir := t.TempDir()
		p := place{sqlite: prefix != "", path: filepath.Join(dir, "store")}
		err := os.CopyFS(p.path, os.DirFS("../../testdata/format1/badger"))
		if p.sqlite {
			err = errors.Join(os.RemoveAll(p.path), copyFile("../../testdata/format1/sqlite.db", p.path))
		}
		if err := errors.Join(err, os.WriteFile(p.keyFile(), []byte(line), 0o600)); err != nil {
			t.Fatal(err)
		}
		lookAt(t, dir, p.String(), "@alice:example.org")
		running, err := p.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"inspect", "check"} {
			if out, err := pawlCommand(command, p.String()); err != nil {
				t.Errorf("%s of a store that is open: %v\n%s", command, err, out)
			}
		}
		if err := running.Close(); err != nil {
			t.Fatal(err)
		}
		if got := formatOf(t, p); got != 1 {
			t.Errorf("%s was looked at, and has format %d", p, got)
		}
		if out, err := pawlCommand("sweep", p.String()); err != nil {
			t.Errorf("sweep: %v\n%s", err, out)
		}
		if got := formatOf(t, p); got != 2 {
			t.Errorf("%s was swept, and has format %d", p, got)
		}
	}
}

// formatOf reads the format of a store at rest from its files.
func formatOf(t *testing.T, p place) (format int) {
	t.Helper()
	if p.sqlite {
		const atUserVersion = 60
		data, err := os.ReadFile(p.path)
		if err != nil || len(data) < 100 {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		return int(data[atUserVersion+3])
	}
	data, err := os.ReadFile(filepath.Join(p.path, "pawl.format"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(data), "pawl store on badger, format %d", &format); err != nil {
		t.Fatal(err)
	}
	return format
}
