package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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
