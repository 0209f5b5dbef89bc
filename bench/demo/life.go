package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
)

// errGone: the process was killed before it answered.
var errGone = errors.New("the process is gone")

// life is a running process. One goroutine calls it; others may kill, stop and
// resume it meanwhile.
type life struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer
	in     *json.Encoder
	out    *json.Decoder
	stderr tail
	doomed atomic.Bool // killed on purpose
}

func begin(ctx context.Context, name string, command func(context.Context) *exec.Cmd) (*life, error) {
	l := &life{name: name, cmd: command(ctx)}
	stdin, err := l.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	l.stdin, l.in, l.out = stdin, json.NewEncoder(stdin), json.NewDecoder(stdout)
	if l.cmd.Stderr == nil {
		l.cmd.Stderr = &l.stderr
	} else {
		l.cmd.Stderr = io.MultiWriter(&l.stderr, l.cmd.Stderr)
	}
	if err := l.cmd.Start(); err != nil {
		return nil, fmt.Errorf("demo: start the %s: %w", name, err)
	}
	return l, nil
}

// call sends a request and waits for the answer. Errors: errGone, and that the
// process ended by itself.
func (l *life) call(q request) (answer, error) {
	var a answer
	err := l.in.Encode(q)
	if err == nil {
		err = l.out.Decode(&a)
	}
	if err == nil {
		return a, nil
	}
	if l.doomed.Load() {
		return a, errGone
	}
	l.stdin.Close()
	_ = l.cmd.Process.Kill() // it may say nothing more and not have ended
	ended := l.cmd.Wait()
	return a, fmt.Errorf("demo: the %s ended by itself (%w): %s", l.name, errors.Join(err, ended), &l.stderr)
}

// exit lets the process close its store and waits for its end.
func (l *life) exit() error {
	err := errors.Join(l.in.Encode(request{Op: opExit}), l.cmd.Wait())
	if err != nil {
		return fmt.Errorf("demo: exit of the %s: %w: %s", l.name, err, &l.stderr)
	}
	return nil
}

// kill ends the process wherever it is. It does not wait.
func (l *life) kill() {
	l.doomed.Store(true)
	_ = l.cmd.Process.Kill() // it may have ended
}

// bury waits for the end of a process that was killed.
func (l *life) bury() {
	l.stdin.Close()
	_ = l.cmd.Wait() // it says that the process was killed
}

func (l *life) signal(s os.Signal) error {
	if err := l.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("demo: signal to the %s: %w", l.name, err)
	}
	return nil
}

// maxTail is how much of what a process says on standard error is kept.
const maxTail = 4096

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-maxTail):]
	return len(b), nil
}

func (t *tail) String() string {
	if len(t.text) == 0 {
		return "it said nothing"
	}
	return strings.TrimSpace(string(t.text))
}
