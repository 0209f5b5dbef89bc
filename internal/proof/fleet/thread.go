//go:build linux

package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// thread is one of this process that a single goroutine has. What it starts and opens is in
// its namespace, and what it starts lives no longer than it.
type thread struct {
	id     int
	failed error // of its beginning
	todo   chan func()
}

// newThread makes one, which begins with a call, if there is one.
func newThread(begin func() error) *thread {
	t := &thread{todo: make(chan func())}
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocks it: the thread ends with the goroutine
		t.id = unix.Gettid()
		if begin != nil {
			t.failed = begin()
		}
		close(ready)
		for fn := range t.todo {
			fn()
		}
	}()
	<-ready
	return t
}

// do calls fn on the thread.
func (t *thread) do(fn func()) {
	done := make(chan struct{})
	t.todo <- func() {
		defer close(done)
		fn()
	}
	<-done
}

func (t *thread) end() { close(t.todo) }

// beside calls fn on another thread that is in the same namespace and ends with it, so that
// it may wait without others.
func (t *thread) beside(fn func()) error {
	ns, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", t.id))
	if err != nil {
		return err
	}
	defer ns.Close()
	entered := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocks it
		err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			fn()
		}
		entered <- err
	}()
	return <-entered
}

// ofItsHost ends a process with the thread that starts it, and gives it a session of its
// own, as what starts a host's services does: by sessions Linux shares out the processors
// (sched(7), autogroup). In the test's own session all that it has started would have no
// more of them together than each single backend of a PostgreSQL server.
func ofItsHost(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	attr := *cmd.SysProcAttr // others may use it too
	attr.Pdeathsig, attr.Setsid = syscall.SIGKILL, true
	cmd.SysProcAttr = &attr
}
