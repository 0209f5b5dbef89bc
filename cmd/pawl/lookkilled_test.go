//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// copiesIn names the copies in a temporary directory of the store that have data in them.
func copiesIn(t *testing.T, temp string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(temp, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if name, _, below := strings.Cut(strings.TrimPrefix(path, temp+"/"), "/"); below && e.Type().IsRegular() && e.Name() != "lock" && !slices.Contains(found, name) {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// lookStopped returns a process that is stopped while it looks at a store, with the name
// of its copy. One that is done before is followed by another.
func lookStopped(t *testing.T, temp, store string) (pid int, name string) {
	t.Helper()
	before := copiesIn(t, temp)
	for {
		cmd := exec.Command("pawl", "check", store)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pid = cmd.Process.Pid
		for name = ""; name == "" && cmd.Process.Signal(syscall.Signal(0)) == nil; {
			for _, one := range copiesIn(t, temp) {
				if !slices.Contains(before, one) {
					name = one
				}
			}
			var status syscall.WaitStatus
			if ended, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); err != nil || ended == pid {
				break
			}
		}
		if name == "" {
			continue
		}
		var status syscall.WaitStatus
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err == nil && status.Stopped() && slices.Contains(copiesIn(t, temp), name) {
			return pid, name
		} else if err == nil && status.Stopped() {
			kill(t, pid)
		}
	}
}

// kill kills a process, and returns when it is dead.
func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || !status.Signaled() {
		t.Fatalf("%v: %v", status, err)
	}
}

// TestCopiesOfKilledLooks: a copy that a process which was killed has left is removed by
// the next that looks, at whatever store; that of a living one stays, and so does what
// only has such a name.
func TestCopiesOfKilledLooks(t *testing.T) {
	for _, prefix := range []string{"", sqlitePrefix} {
		t.Run(prefix, func(t *testing.T) {
			temp, dir := t.TempDir(), t.TempDir()
			t.Setenv("TMPDIR", temp)
			store := prefix + filepath.Join(dir, "store")
			stdoutOf(t, "init", store, "--user", "@alice:example.org", "--device", "A")
			killed, first := lookStopped(t, temp, store)
			alive, second := lookStopped(t, temp, store)
			defer kill(t, alive)
			kill(t, killed)
			if got, want := copiesIn(t, temp), sorted(first, second); !slices.Equal(got, want) {
				t.Fatalf("copies %q, want %q", got, want)
			}
			elsewhere := filepath.Join(dir, "elsewhere")
			link := filepath.Join(temp, lookCopies+"link")
			if err := errors.Join(os.Mkdir(elsewhere, 0o700), os.WriteFile(filepath.Join(elsewhere, "lock"), nil, 0o600), os.Symlink(elsewhere, link)); err != nil {
				t.Fatal(err)
			}
			want := []string{second}
			if os.Geteuid() == 0 { // who may give files to others
				theirs := filepath.Join(temp, lookCopies+"theirs")
				if err := errors.Join(os.MkdirAll(filepath.Join(theirs, "files"), 0o700), os.WriteFile(filepath.Join(theirs, "lock"), nil, 0o600),
					os.WriteFile(filepath.Join(theirs, "files", "store"), nil, 0o600), os.Chown(theirs, 65534, 65534)); err != nil {
					t.Fatal(err)
				}
				want = sorted(second, lookCopies+"theirs")
			}
			if out := string(stdoutOf(t, "inspect", store)); !strings.Contains(out, "@alice:example.org") {
				t.Errorf("inspect: %s", out)
			}
			if got := copiesIn(t, temp); !slices.Equal(got, want) {
				t.Errorf("copies %q, want %q", got, want)
			}
			for _, kept := range []string{filepath.Join(link, "lock"), filepath.Join(temp, second, "lock")} {
				if _, err := os.Stat(kept); err != nil {
					t.Errorf("not its own: %v", err)
				}
			}
		})
	}
}

func sorted(names ...string) []string {
	slices.Sort(names)
	return names
}
