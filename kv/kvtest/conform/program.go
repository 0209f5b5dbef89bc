package conform

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// program is one that runs, and its calls that are not answered.
type program struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     io.ReadCloser
	said    *lastWords
	over    chan struct{} // closed when it says nothing more; err is set then

	writing sync.Mutex // a line is written as a whole

	mu      sync.Mutex
	last    int64
	waiting map[int64]chan answer
	err     error
}

// start starts a program.
func start(args []string) (*program, error) {
	p := &program{
		command: exec.Command(args[0], args[1:]...), said: &lastWords{},
		over: make(chan struct{}), waiting: make(map[int64]chan answer),
	}
	p.command.Stderr = p.said
	var err error
	if p.out, err = p.command.StdoutPipe(); err == nil {
		p.in, err = p.command.StdinPipe()
	}
	if err == nil {
		err = p.command.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("conform: starting the program: %w", err)
	}
	go p.listen()
	return p, nil
}

// listen hands answers to those who wait for them.
func (p *program) listen() {
	lines := bufio.NewReader(p.out)
	for {
		line, err := lines.ReadBytes('\n')
		if err == nil {
			err = p.answered(line)
		} else if errors.Is(err, io.EOF) {
			err = errors.New("conform: the program has closed its output")
		}
		if err != nil {
			p.mu.Lock()
			p.err = err
			p.mu.Unlock()
			close(p.over)
			_, _ = io.Copy(io.Discard, lines) // it is not to be stuck
			return
		}
	}
}

func (p *program) answered(line []byte) error {
	var a answer
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return fmt.Errorf("conform: the program says %q, which is no answer: %w", line[:min(len(line), 200)], err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	to := p.waiting[a.ID]
	if to == nil {
		return fmt.Errorf("conform: the program answers call %d, which does not wait for an answer", a.ID)
	}
	delete(p.waiting, a.ID)
	to <- a
	return nil
}

// call makes a call and waits for its answer. When ctx ends it is given up: the
// program answers all the same.
func (p *program) call(ctx context.Context, r request) (answer, error) {
	got := make(chan answer, 1)
	p.mu.Lock()
	p.last++
	r.ID = p.last
	p.waiting[r.ID] = got
	p.mu.Unlock()
	r.Ended = why(ctx)
	ended, late := ctx.Done(), (<-chan time.Time)(nil)
	if r.Ended != "" {
		ended, late = nil, time.After(ending)
	}
	if err := p.send(r); err != nil {
		return answer{}, err
	}
	for {
		select {
		case a := <-got:
			return a, a.err(ctx)
		case <-p.over:
			select { // what it answered before it ended counts
			case a := <-got:
				return a, a.err(ctx)
			default:
				return answer{}, p.whyOver()
			}
		case <-late:
			return answer{}, fmt.Errorf("conform: the program has not answered the call %s %v after it was given up", r.Call, ending)
		case <-ended:
			ended, late = nil, time.After(ending)
			if err := p.send(request{Call: "cancel", ofCancel: &ofCancel{Of: r.ID, Why: why(ctx)}}); err != nil {
				return answer{}, err
			}
		}
	}
}

func (p *program) send(r request) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("conform: %w", err)
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	if _, err := p.in.Write(append(line, '\n')); err != nil { // what it said last tells more
		defer p.kill().Stop()
		<-p.over
		return fmt.Errorf("%w; it does not read its input: %w", p.whyOver(), err)
	}
	return nil
}

// kill ends the program, and after a while what of it has its output still open.
func (p *program) kill() *time.Timer {
	_ = p.command.Process.Kill()
	return time.AfterFunc(ending, func() { _ = p.out.Close() })
}

func (p *program) whyOver() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// ending is how long a program may take to end when its input has, and to answer a
// call that was given up.
const ending = 10 * time.Second

// end closes the program's input, which ends it.
func (p *program) end() error {
	_ = p.in.Close()
	kill := time.AfterFunc(ending, func() { p.kill() })
	<-p.over // before Wait, which closes the pipe
	err := p.command.Wait()
	if !kill.Stop() {
		return fmt.Errorf("conform: the program has not ended %v after its input", ending)
	}
	if err != nil {
		return fmt.Errorf("conform: the program ended with: %w", err)
	}
	return nil
}

// mostWords is how much is kept of what a program says on standard error.
const mostWords = 8 << 10

// lastWords keeps the end of what is written.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (w *lastWords) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, b...)
	w.text = w.text[max(0, len(w.text)-mostWords):]
	return len(b), nil
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}
