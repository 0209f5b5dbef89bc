package etcdtest

import (
	"os/exec"
	"runtime"
	"syscall"
)

// starts are processes that one thread starts, which lives as long as this process: when it
// ends, so do they, however it ends.
var starts = func() chan func() {
	all := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range all {
			start()
		}
	}()
	return all
}()

func start(cmd *exec.Cmd) (err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	done := make(chan struct{})
	starts <- func() {
		defer close(done)
		err = cmd.Start()
	}
	<-done
	return err
}
