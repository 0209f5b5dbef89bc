//go:build linux || darwin

package processes

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
)

// A process of a test is the test's own program, with the name of a role and a
// directory in the environment. It says on standard output what happens to it, a
// line each, and ends when its standard input does.
const (
	roleEnv = "PAWL_TEST_ROLE"
	dirEnv  = "PAWL_TEST_DIR"
)

// Role is what a process can be told to be. It ends the process when it returns.
type Role func(dir string) error

// Main runs the tests, or plays the role that this process was started in. A
// package's TestMain calls it.
func Main(m *testing.M, roles map[string]Role) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](os.Getenv(dirEnv)); err != nil {
		fmt.Fprintln(os.Stderr, role, os.Getpid(), err)
		os.Exit(1)
	}
	os.Exit(0)
}

// InputEnded is closed when the process should end.
func InputEnded() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	return done
}

// ready is what a process says that waits until it may begin.
const ready = "ready"

// Ready says, in a role, that all is prepared, and waits until the process may
// begin: so several begin at the same time.
func Ready() {
	fmt.Println(ready)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

// Patience is how long anything that a test waits for may take. Machines may be slow and
// busy: it says that nothing hangs, not how fast it is.
const Patience = 3 * time.Minute

// Child is a process of a test. Its methods fail the test.
type Child struct {
	t     testing.TB
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan string // what it says; closed when it has ended
}

// Start starts a process in a role, with more in its environment. It is killed
// at the end of the test, if it still runs.
func Start(t testing.TB, role, dir string, env ...string) *Child {
	t.Helper()
	return StartBy(t, (*exec.Cmd).Start, role, dir, env...)
}

// StartBy is Start of a process that start starts, on another host perhaps.
func StartBy(t testing.TB, start func(*exec.Cmd) error, role, dir string, env ...string) *Child {
	t.Helper()
	c := &Child{t: t, cmd: exec.Command(os.Args[0], "-test.run=^$"), lines: make(chan string, 1<<16)}
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
	if err := start(c.cmd); err != nil {
		t.Fatal(err)
	}
	c.stdin = stdin
	go func() {
		defer close(c.lines)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			c.lines <- lines.Text()
		}
	}()
	t.Cleanup(c.Kill)
	return c
}

// Begin waits until the process is Ready and lets it go.
func (c *Child) Begin() {
	c.t.Helper()
	c.Says(ready)
	if _, err := io.WriteString(c.stdin, "\n"); err != nil {
		c.t.Fatal(err)
	}
}

// PID is the process's.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Rest returns what a process has said that was killed, or ended.
func (c *Child) Rest() (lines []string) {
	for line := range c.lines {
		lines = append(lines, line)
	}
	return lines
}

// Freeze stops the process and returns when it stands still.
func (c *Child) Freeze() {
	c.t.Helper()
	_ = c.cmd.Process.Signal(syscall.SIGSTOP)
	var status unix.WaitStatus
	if _, err := unix.Wait4(c.PID(), &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		c.t.Fatalf("process %d does not stop: %v, %v", c.PID(), status, err)
	}
}

// Thaw lets a process go on that was stopped.
func (c *Child) Thaw() { _ = c.cmd.Process.Signal(syscall.SIGCONT) }

// Kill ends the process at once and returns when it is gone.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill()
	for range c.lines {
	}
	_ = c.cmd.Wait()
}

// Finish lets the process end by itself.
func (c *Child) Finish() {
	c.t.Helper()
	c.stdin.Close()
	for range c.lines {
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("process %d: %v", c.PID(), err)
	}
}

// Forget forgets what the process has said so far.
func (c *Child) Forget() {
	for {
		select {
		case _, alive := <-c.lines:
			if !alive {
				return
			}
		default:
			return
		}
	}
}

// Says waits until the process says something that begins with a text.
func (c *Child) Says(text string) string {
	c.t.Helper()
	late := time.After(Patience)
	for {
		select {
		case line, alive := <-c.lines:
			if !alive {
				c.t.Fatalf("process %d ended before it said %q", c.PID(), text)
			}
			if strings.HasPrefix(line, text) {
				return line
			}
		case <-late:
			_ = c.cmd.Process.Signal(syscall.SIGQUIT) // it tells what it waits for
			c.Thaw()
			c.Rest()
			c.t.Fatalf("process %d has not said %q for %v", c.PID(), text, Patience)
		}
	}
}
