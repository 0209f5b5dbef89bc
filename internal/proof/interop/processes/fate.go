//go:build unix

package processes

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Freeze stops the process and returns when it stands still.
func (p *Process) Freeze() error {
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(p.cmd.Process.Pid, &status, unix.WUNTRACED, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && !status.Stopped() {
			err = fmt.Errorf("processes: %s ended when it should stop", p.Name)
		}
		return err
	}
}

// Continue lets a process that stands still go on.
func (p *Process) Continue() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Kill ends the process wherever it is, and returns when it is gone and all that
// it said was heard. The error is what it complained of before.
func (p *Process) Kill() error {
	p.Doom()
	return p.bury()
}

// Doom is Kill that does not wait.
func (p *Process) Doom() {
	p.doomed.Store(true)
	_ = p.cmd.Process.Kill() // it may have ended
}

// Close lets the process close its store and end.
func (p *Process) Close() error {
	p.stdin.Close()
	return p.bury()
}

// wait returns when the process has ended, and what is wrong with how it did.
func (p *Process) wait() error {
	<-p.heard
	err := p.cmd.Wait()
	p.stdin.Close()
	if p.doomed.Load() {
		err = nil
	}
	if said := p.stderr.String(); said != "" {
		err = errors.Join(err, errors.New(said))
	}
	if err != nil {
		return fmt.Errorf("processes: %s: %w", p.Name, err)
	}
	return nil
}
