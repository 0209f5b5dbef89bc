package holder

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
)

func TestFind(t *testing.T) {
	const locks = `1: FLOCK  ADVISORY  WRITE 11 fe:00:7 0 EOF
2: -> FLOCK  ADVISORY  WRITE 12 fe:01:7 0 EOF
3: OFDLCK ADVISORY  READ -1 fe:01:7 128 128
4: POSIX  ADVISORY  WRITE 13 fe:01:7 0 EOF
5: FLOCK  ADVISORY  WRITE 14 fe:01:7 0 EOF
6: FLOCK  ADVISORY  WRITE 0 fe:01:8 0 EOF
7: FLOCK  ADVISORY  WRITE 16 fe:02:9 0 EOF
8: FLOCK
9: FLOCK  ADVISORY  WRITE nobody 10 0 EOF
`
	for _, c := range []struct {
		device string
		inode  uint64
		want   int
	}{
		{"fe:00", 7, 11}, {"fe:01", 7, 14},
		{"00:2d", 7, 0},  // two files have the inode
		{"00:2d", 9, 16}, // one has
		{"fe:01", 8, 0},  // of a process that is not seen here
		{"fe:01", 10, 0}, {"fe:01", 77, 0},
	} {
		if got := find(strings.NewReader(locks), c.device, c.inode); got != c.want {
			t.Errorf("%s:%d: %d, want %d", c.device, c.inode, got, c.want)
		}
	}
}

// TestOf asks the kernel.
func TestOf(t *testing.T) {
	if path := os.Getenv("HOLD"); path != "" {
		if err := flock.New(path).Lock(); err != nil {
			t.Fatal(err)
		}
		fmt.Println("held")
		os.Stdin.Read(make([]byte, 1))
		return
	}
	path := filepath.Join(t.TempDir(), "lock")
	if pid := Of(path); pid != 0 {
		t.Errorf("no file: %d", pid)
	}
	own := flock.New(path)
	if err := own.Lock(); err != nil {
		t.Fatal(err)
	}
	if pid := Of(path); pid != 0 {
		t.Errorf("this process: %d", pid)
	}
	own.Close()
	if name := Name(path); name != "another process" {
		t.Errorf("nobody: %q", name)
	}

	cmd := exec.Command(os.Args[0], "-test.run=^TestOf$")
	cmd.Env = append(os.Environ(), "HOLD="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if got, want := Name(path), fmt.Sprintf("process %d", cmd.Process.Pid); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	in.Close()
	cmd.Wait()
}
