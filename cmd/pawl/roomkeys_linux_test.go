package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pawlkv/pawl/internal/proof/effort"
)

// TestExportToFullDisk: of a file that the disk has no room for nothing is left, and the
// error says so. It takes the right to mount a small disk.
func TestExportToFullDisk(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	run(t, "init", "phone", "--user", "@alice:example.org", "--device", "PHONE")
	path, word := writeRoomKeys(t, dir, 200, "!room:example.org")
	run(t, "room-keys", "import", "phone", path, "--file-passphrase-file", word)
	if err := os.Mkdir("disk", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", "disk", "tmpfs", 0, "size=64k"); err != nil {
		t.Logf("no file system of our own: %v", err)
		return
	}
	t.Cleanup(func() { unix.Unmount("disk", unix.MNT_DETACH) })
	for _, args := range [][]string{{"disk/keys.txt"}, {"disk/keys.txt", "--json"}} {
		out, err := exec.Command("pawl", append([]string{"room-keys", "export", "phone", "--file-passphrase-file", word}, args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "disk full") || !strings.Contains(string(out), "free some space and run the command again") || strings.Count(string(out), "\n") != 1 {
			t.Errorf("%v: %s", err, out)
		}
		if left, err := os.ReadDir("disk"); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	run(t, "check", "phone")
}

// mostResident is what 100,000 room keys may take, in KiB, and what the program of the
// tests has more than the command. What Badger maps of its files, which the kernel takes
// back, would come to that.
const mostResident = (100 + 20) << 10

// TestRoomKeysWithin: a dry run of an import, the import and an export take little of a
// machine's memory, however many keys there are.
func TestRoomKeysWithin(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	run(t, "init", "sqlite:phone.db", "--user", "@alice:example.org", "--device", "PHONE")
	path, word := writeRoomKeys(t, dir, effort.Of(100_000, 2000), "!room:example.org")
	for _, args := range [][]string{{"import", "sqlite:phone.db", path, "--dry-run"}, {"import", "sqlite:phone.db", path}, {"export", "sqlite:phone.db", "out.txt"}} {
		took := resident(t, exec.Command("pawl", append(append([]string{"room-keys"}, args...), "--file-passphrase-file", word)...))
		if t.Logf("%v: %d KiB", args, took); took == 0 || took > mostResident {
			t.Errorf("%v takes %d KiB, want %d at most", args, took, mostResident)
		}
	}
}

// resident runs a command, and returns the most memory that it had, in KiB. What the
// system says at its end counts from before it was another program than this one.
func resident(t *testing.T, cmd *exec.Cmd) (most int) {
	t.Helper()
	var told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &told, &told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("%v: %s", err, told.String())
			}
			return most
		case <-look.C:
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			_, rest, _ := strings.Cut(string(status), "VmHWM:")
			var kib int
			_, _ = fmt.Sscan(rest, &kib) // of a process that has just ended there is none
			most = max(most, kib)
		}
	}
}
