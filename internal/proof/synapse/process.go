package synapse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// program is Synapse that ends when its standard input does: also when whoever started
// it is killed.
const program = `
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from synapse.app.homeserver import main
main()
`

// ready is how long a server may take until it answers, on a busy machine.
const ready = 2 * time.Minute

// process is a server that runs.
type process struct {
	cmd   *exec.Cmd
	alive io.Closer // its standard input
	ended chan struct{}
}

// run starts the server and waits until it answers.
func (s *Server) run() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // it has its own
	if err := os.Remove(filepath.Join(s.dir, "socket")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // it is left where a server was killed
	}
	cmd := s.kind.command(s)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	alive, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process = &process{cmd, alive, make(chan struct{})}
	go func(p *process) { _ = p.cmd.Wait(); close(p.ended) }(s.process)
	return s.answers()
}

func (s *Server) answers() error {
	deadline := time.After(ready)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if s.versions() {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.process.ended:
			return fmt.Errorf("%s: it ended before it answered", s.kind.name)
		case <-deadline:
			return errors.Join(fmt.Errorf("%s: no answer for %v", s.kind.name, ready), s.process.end())
		}
	}
}

func (s *Server) versions() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://synapse/_matrix/client/versions", nil)
	if err != nil {
		return false
	}
	answer, err := s.client.Do(q)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// end ends the process, and waits until it has ended.
func (p *process) end() error {
	err := ignoreClosed(p.alive.Close())
	<-p.ended
	return err
}

// ignoreClosed: the pipe is closed once the process has ended by itself.
func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
