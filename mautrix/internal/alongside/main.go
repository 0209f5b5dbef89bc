// Command alongside is a second program of a bridge's device: it reads what it is given
// from the bridge's store, while that is used or after. Its arguments are the store, the
// user and the device.
//
// A line with the event "read" has an event of a room in it, and is answered with its body
// as soon as its key is there. One with "letter" has an Olm message in it, and is answered
// with what the device makes of it.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// line is what is told and taken.
type line struct {
	Event   string          `json:"event"`
	ID      string          `json:"id"`
	Body    string          `json:"body,omitempty"`
	Error   string          `json:"error,omitempty"`
	Content json.RawMessage `json:"content,omitempty"`
}

func main() {
	if err := run(context.Background(), os.Args[1], matrix.UserID(os.Args[2]), matrix.DeviceID(os.Args[3])); err != nil {
		fmt.Fprintln(os.Stderr, "alongside:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, path string, user matrix.UserID, device matrix.DeviceID) error {
	engine, err := badgerkv.Open(path)
	if err != nil {
		return err
	}
	defer engine.Close()
	store, err := pawl.Open(ctx, engine, pawl.WithPassphrase([]byte("secret")))
	if err != nil {
		return err
	}
	machine, err := store.OpenOrCreate(ctx, user, device)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	var busy sync.WaitGroup
	defer busy.Wait()
	defer end()
	var mu sync.Mutex
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var q line
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return err
		}
		busy.Go(func() {
			a := line{Event: q.Event, ID: q.ID}
			var err error
			if q.Event == "letter" {
				a.Body, err = letter(ctx, machine, q.Content)
			} else {
				a.Body, err = read(ctx, machine, q.Content)
			}
			if err != nil {
				a.Error = err.Error()
			}
			text, _ := json.Marshal(a) // strings
			mu.Lock()
			defer mu.Unlock()
			_, _ = os.Stdout.Write(append(text, '\n'))
		})
	}
	return lines.Err()
}

// read reads an event of a room, and waits for its key.
func read(ctx context.Context, machine *pawl.Machine, text []byte) (string, error) {
	var e struct {
		Room    matrix.RoomID  `json:"room_id"`
		ID      matrix.EventID `json:"event_id"`
		Sender  matrix.UserID
		Content json.RawMessage
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return "", err
	}
	event := pawl.RoomEvent{Room: e.Room, ID: e.ID, Sender: e.Sender, Content: e.Content, AllowMismatched: true} // ghosts' are the bot's
	for {
		d, err := machine.DecryptRoomEvent(ctx, event)
		if errors.Is(err, group.ErrNoKey) {
			var session group.SessionID
			if session, err = event.Session(); err == nil {
				err = machine.WaitForRoomKey(ctx, e.Room, session, e.Sender)
			}
			if err == nil {
				continue
			}
		}
		if err != nil {
			return "", err
		}
		var content struct{ Body string }
		err = json.Unmarshal(d.Content, &content)
		return content.Body, err
	}
}

// letter says what the device makes of an Olm message: "received" if it had read it
// before.
func letter(ctx context.Context, machine *pawl.Machine, text []byte) (string, error) {
	var m struct {
		Sender string `json:"sender_key"`
		Type   ratchet.MessageType
		Body   string
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return "", err
	}
	sender, err := ratchet.ParsePublicKey(m.Sender)
	if err != nil {
		return "", err
	}
	body, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(m.Body, "="))
	if err != nil {
		return "", err
	}
	d, err := machine.Decrypt(ctx, sender, ratchet.Message{Type: m.Type, Body: body})
	switch {
	case errors.Is(err, pawl.ErrAlreadyProcessed) || err == nil && d.Duplicate:
		return "received", nil
	case err == nil:
		return "new", nil
	}
	return "", err
}
