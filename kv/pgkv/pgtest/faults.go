//go:build unix

package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// letAnybodyIn lets everybody connect from everywhere, also who follows.
func (s *Server) letAnybodyIn() error {
	file, err := os.OpenFile(filepath.Join(s.data(), "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString("host all all 0.0.0.0/0 trust\nhost replication all 0.0.0.0/0 trust\n")
	return errors.Join(err, file.Close())
}

// Kill ends all processes of the server at once, wherever they are, as when its host dies,
// but for what the system has not written yet. It returns when they are gone. Linux only,
// as all that follows.
func (s *Server) Kill() {
	family := s.freeze()
	for _, pid := range slices.Backward(family) { // the postmaster last: it would start others
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-s.exited
	for _, pid := range family {
		for runs(pid) {
			<-time.After(time.Millisecond) // whose child it is now hears of it, and we do not
		}
	}
}

// Freeze stops all processes of the server, until Continue.
func (s *Server) Freeze() { s.freeze() }

// freeze returns the processes that it has stopped, the postmaster first.
func (s *Server) freeze() (family []int) {
	family = []int{s.PID()}
	_ = syscall.Kill(s.PID(), syscall.SIGSTOP)
	for !stands(s.PID()) {
		<-time.After(time.Millisecond)
	}
	for _, pid := range children(s.PID()) { // it makes no others now
		_ = syscall.Kill(pid, syscall.SIGSTOP)
		family = append(family, pid)
	}
	return family
}

// Continue lets the server go on that stands still.
func (s *Server) Continue() {
	for _, pid := range append(children(s.PID()), s.PID()) {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

func children(of int) (pids []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", of))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, one := range strings.Fields(string(text)) {
			pid, _ := strconv.Atoi(one)
			pids = append(pids, pid)
		}
	}
	return pids
}

// state is that of a process, 0 if there is none.
func state(pid int) byte {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if _, after, found := bytes.Cut(text, []byte(") ")); found && err == nil && len(after) > 0 {
		return after[0]
	}
	return 0
}

func runs(pid int) bool { return !slices.Contains([]byte{0, 'Z', 'X'}, state(pid)) }

func stands(pid int) bool { return slices.Contains([]byte{0, 'Z', 'X', 'T'}, state(pid)) }
