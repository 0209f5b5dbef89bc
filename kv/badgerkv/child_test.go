//go:build linux || darwin

package badgerkv_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pawlkv/pawl/internal/proof/effort"
)

// Processes of the tests are this test's own program, with the name of a role
// and a directory in the environment. They say on standard output what happens
// to them, a line each, and end when their standard input does.
const (
	roleEnv = "PAWL_TEST_ROLE"
	dirEnv  = "PAWL_TEST_DIR"
)

// roles are what a process can be told to be.
var roles = map[string]func(dir string) error{
	"worker": work,
	"holder": hold,
	"stuck":  holdStuck,
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](os.Getenv(dirEnv)); err != nil {
		fmt.Fprintln(os.Stderr, role, os.Getpid(), err)
		os.Exit(1)
	}
}

// child is a process of a test.
type child struct {
	t     testing.TB
	cmd   *exec.Cmd
	stdin io.Closer
	lines chan string // what it says; closed when it has ended
}

func start(t testing.TB, role, dir string, env ...string) *child {
	t.Helper()
	effort.Processes(t)
	c := &child{t: t, cmd: exec.Command(os.Args[0], "-test.run=^$"), lines: make(chan string, 1<<16)}
	c.cmd.Env = append(append(os.Environ(), roleEnv+"="+role, dirEnv+"="+dir), env...)
	c.cmd.Stderr = os.Stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.stdin = stdin
	go func() {
		defer close(c.lines)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			c.lines <- lines.Text()
		}
	}()
	t.Cleanup(c.kill)
	return c
}

func (c *child) signal(s syscall.Signal) { _ = c.cmd.Process.Signal(s) }

// freeze stops the process and returns when it stands still.
func (c *child) freeze() {
	c.t.Helper()
	c.signal(syscall.SIGSTOP)
	var status unix.WaitStatus
	if _, err := unix.Wait4(c.cmd.Process.Pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		c.t.Fatalf("process %d does not stop: %v, %v", c.cmd.Process.Pid, status, err)
	}
}

// kill ends the process at once and returns when it is gone.
func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	for range c.lines {
	}
	_ = c.cmd.Wait()
}

// finish lets the process end by itself.
func (c *child) finish() {
	c.t.Helper()
	c.stdin.Close()
	for range c.lines {
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("process %d: %v", c.cmd.Process.Pid, err)
	}
}

// patience is how long anything that a test waits for may take.
const patience = 30 * time.Second

// says waits until the process says something that begins with a text.
func (c *child) says(text string) string {
	c.t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, alive := <-c.lines:
			if !alive {
				c.t.Fatalf("process %d ended before it said %q", c.cmd.Process.Pid, text)
			}
			if strings.HasPrefix(line, text) {
				return line
			}
		case <-late:
			c.t.Fatalf("process %d has not said %q for %v", c.cmd.Process.Pid, text, patience)
		}
	}
}

// untilInputEnds is closed when the process should end.
func untilInputEnds() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	return done
}
