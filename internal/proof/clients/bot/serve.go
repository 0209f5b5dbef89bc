package bot

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Command is what a client is asked for.
type Command struct {
	ID         int    `json:"id"`
	Name       string `json:"cmd"`
	Homeserver string `json:"homeserver,omitempty"`
	Store      string `json:"store,omitempty"`
	User       string `json:"user_id,omitempty"`
	Device     string `json:"device_id,omitempty"`
	Token      string `json:"access_token,omitempty"`
	Room       string `json:"room,omitempty"`
	Body       string `json:"body,omitempty"`
	Event      string `json:"event_id,omitempty"`
	Timeout    int    `json:"timeout_ms,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Count      int    `json:"count,omitempty"`
}

// Answer is of a command.
type Answer struct {
	ID     int    `json:"id"`
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"`
	Event  string `json:"event_id,omitempty"`
	Body   string `json:"body,omitempty"`
	Sender string `json:"sender,omitempty"`
}

// Event is something that a client tells.
type Event struct {
	Name      string `json:"event"`
	Room      string `json:"room,omitempty"`
	Event     string `json:"event_id,omitempty"`
	Sender    string `json:"sender,omitempty"`
	Body      string `json:"body,omitempty"`
	Encrypted bool   `json:"encrypted,omitempty"`
	Error     string `json:"error,omitempty"`

	At time.Time `json:"-"` // when it was told
}

// Client is what a program serves.
type Client interface {
	// Do does one command. Those that take long (send, read, check, sweep) do not hold
	// up others.
	Do(context.Context, Command) (Answer, error)
	Close() error
}

// Serve reads commands from r and writes answers to w, until quit or the end of r.
// The client tells its events with what open is given.
func Serve(ctx context.Context, r io.Reader, w io.Writer, open func(tell func(Event)) Client) error {
	var mu sync.Mutex
	out := json.NewEncoder(w)
	say := func(v any) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(v) // nobody listens any more: the end of r follows
	}
	client := open(func(e Event) { say(e) })
	var busy sync.WaitGroup
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c Command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			say(Answer{Error: err.Error()})
			continue
		}
		if c.Name == "quit" {
			busy.Wait()
			err := client.Close()
			say(answered(c, Answer{}, err))
			return err
		}
		do := func() {
			a, err := client.Do(ctx, c)
			say(answered(c, a, err))
		}
		if c.Name == "send" || c.Name == "read" || c.Name == "check" || c.Name == "sweep" {
			busy.Go(do)
		} else {
			do()
		}
	}
	return client.Close()
}

func answered(c Command, a Answer, err error) Answer {
	a.ID, a.OK = c.ID, err == nil
	if err != nil {
		a.Error = err.Error()
	}
	return a
}
