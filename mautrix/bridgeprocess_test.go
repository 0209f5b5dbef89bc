package pawlmautrix

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// build builds a program of this module, as it is built without C.
func build(t *testing.T, folder string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), filepath.Base(folder))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "goolm", "-o", program, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// begin starts a program. What it complains of is in its output, unless somebody else is
// told.
func begin(t *testing.T, cmd *exec.Cmd) (in io.WriteCloser, out io.Reader) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if cmd.Stderr == nil {
		cmd.Stderr = cmd.Stdout
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return in, out
}

// line is what a program takes and tells: see the command echobridge.
type line struct {
	Event   string          `json:"event,omitempty"`
	Room    int             `json:"room"`
	Ghost   int             `json:"ghost"`
	ID      string          `json:"id,omitempty"`
	Body    string          `json:"body,omitempty"`
	Error   string          `json:"error,omitempty"`
	Content json.RawMessage `json:"content,omitempty"`
}

// talker is a program that takes and tells lines. What it says otherwise is kept for a
// test that fails.
type talker struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	log  *tail
	gone chan struct{} // closed when it has ended

	mu     sync.Mutex
	killed bool
}

// talk starts a program; what it tells goes to heard, one line after the other.
func talk(t *testing.T, heard func(line), program string, arguments ...string) *talker {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, arguments...)
	p := &talker{t: t, cmd: cmd, log: new(tail), gone: make(chan struct{})}
	cmd.Stderr = p.log
	var out io.Reader
	p.in, out = begin(t, cmd)
	go func() {
		defer close(p.gone)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var l line
			if json.Unmarshal(lines.Bytes(), &l) == nil { // else it was killed within
				heard(l)
			}
		}
		err := cmd.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		if err != nil && !p.killed {
			t.Errorf("%s ended by itself: %v\n%s", filepath.Base(program), err, p.log)
		}
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the last %s said:\n%s", filepath.Base(program), p.log)
		}
	})
	return p
}

// say gives it a line. One that has ended hears nothing.
func (p *talker) say(l line) {
	p.t.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		p.t.Fatal(err)
	}
	_, _ = p.in.Write(append(text, '\n'))
}

// kill ends it wherever it is, and returns when it has ended.
func (p *talker) kill() {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	<-p.gone
}

// quit ends it as its user does, and returns when it has ended.
func (p *talker) quit() {
	p.t.Helper()
	_ = p.in.Close()
	select {
	case <-p.gone:
	case <-time.After(patience):
		p.t.Error("a program did not end with its input")
	}
}

// tail keeps the end of what is written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	if extra := len(w.text) - 1<<16; extra > 0 {
		w.text = bytes.Clone(w.text[extra:])
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}
