package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"sync"
)

// command is one line of standard input.
type command struct {
	ID         int    `json:"id"`
	Name       string `json:"cmd"`
	Homeserver string `json:"homeserver"`
	Store      string `json:"store"`
	User       string `json:"user"`
	Password   string `json:"password"`
	UserID     string `json:"user_id"`
	DeviceID   string `json:"device_id"`
	Token      string `json:"access_token"`
	Room       string `json:"room"`
	Body       string `json:"body"`
	Event      string `json:"event_id"`
	Timeout    int    `json:"timeout_ms"`
}

// object is an answer or an event.
type object = map[string]any

// output writes lines, whole ones.
type output struct {
	mu    sync.Mutex
	lines *json.Encoder
}

func (o *output) say(line object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.lines.Encode(line) // nobody listens any more: the end of the input follows
}

func (o *output) answer(to command, with object, err error) {
	line := object{"id": to.ID, "ok": err == nil}
	if err != nil {
		line["error"] = err.Error()
	}
	for name, value := range with {
		line[name] = value
	}
	o.say(line)
}

// serve does what it is told until quit or the end of the input. What waits does not
// hold up others.
func serve(ctx context.Context, in io.Reader, out *output) error {
	b := &bot{out: out}
	var busy sync.WaitGroup
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			out.answer(c, nil, err)
			continue
		}
		do := func() {
			with, err := b.do(ctx, c)
			out.answer(c, with, err)
		}
		switch c.Name {
		case "send", "read":
			busy.Go(do)
		case "quit":
			busy.Wait()
			err := b.close()
			out.answer(c, nil, err)
			return err
		default:
			do()
		}
	}
	busy.Wait()
	return b.close()
}
