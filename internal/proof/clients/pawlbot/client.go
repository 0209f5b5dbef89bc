// Package pawlbot is a client on Pawl that the tests drive, as a phone's is built:
// several processes (the app, its extension, a share sheet) have one device, with one
// store and one access token, and each of them may sync, send and read.
//
// It is written on what package pawl offers to clients, and keeps nothing between two
// runs but the store:
//
//	client.go   commands; the store is opened and closed
//	engines.go  on what
//	server.go   asking the homeserver, and what an answer that fails means
//	outgoing.go Pawl's requests are sent, and their answers handed in
//	loop.go     syncing
//	rooms.go    events of rooms are read and told
//	send.go     a message is encrypted and sent
//	moments.go  commits at which a test holds or ends the process
//	upkeep.go   the store is checked and swept
package pawlbot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

// Engine opens the engine of a device in a directory.
type Engine func(dir string) (kv.Store, error)

// client is one process.
type client struct {
	engine  Engine
	tell    func(bot.Event)
	store   *moments
	pawl    *pawl.Store
	machine *pawl.Machine // nil until login
	server  server
	clock   string // a file that says how far the device's clock is ahead

	life context.Context // ends with the process
	end  context.CancelFunc
	busy sync.WaitGroup // what ends with life
	wake chan struct{}  // there may be something to be sent

	stopping context.CancelFunc // ends syncing; nil while there is none
	stopped  chan struct{}
}

// On returns clients on an engine, for bot.Serve.
func On(e Engine) func(func(bot.Event)) bot.Client {
	return func(tell func(bot.Event)) bot.Client {
		c := &client{engine: e, tell: tell, wake: make(chan struct{}, 1)}
		c.life, c.end = context.WithCancel(context.Background())
		return c
	}
}

func (c *client) Do(ctx context.Context, q bot.Command) (a bot.Answer, err error) {
	if c.machine == nil && q.Name != "login" {
		return a, errors.New("not logged in")
	}
	room := matrix.RoomID(q.Room)
	switch q.Name {
	case "login":
		return a, c.login(ctx, q)
	case "start":
		return a, c.start()
	case "stop":
		c.stop()
		return a, nil
	case "join":
		_, err = c.server.ask(ctx, "POST", "join/"+url.PathEscape(q.Room), []byte("{}"))
		return a, err
	case "send":
		id, err := c.send(ctx, room, q.Body)
		return bot.Answer{Event: string(id)}, err
	case "read":
		return c.read(ctx, room, matrix.EventID(q.Event), time.Duration(q.Timeout)*time.Millisecond)
	case "check":
		return a, c.check(ctx)
	case "sweep":
		return a, c.sweep(ctx)
	case "meet":
		return a, c.store.meet(q.Kind, q.Count)
	case "die":
		c.store.dieAfter(q.Count)
		return a, nil
	}
	return a, fmt.Errorf("no command %q", q.Name)
}

// login opens the device's store, which another process may have open, and begins to
// send what Pawl wants sent.
func (c *client) login(ctx context.Context, q bot.Command) (err error) {
	if err := os.MkdirAll(q.Store, 0o700); err != nil {
		return err
	}
	c.server, c.clock = server{q.Homeserver, q.Token}, q.Store+".clock"
	engine, err := c.engine(q.Store)
	if err != nil {
		return err
	}
	c.store = &moments{Store: engine, place: q.Store + ".meeting", tell: c.tell}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	// The key is the tests': a client keeps it in the system's keychain.
	if c.pawl, err = pawl.Open(ctx, c.store, pawl.WithKey([32]byte{1}), pawl.WithClock(c.now), pawl.WithLogger(log)); err != nil {
		return err
	}
	if c.machine, err = c.pawl.OpenOrCreate(ctx, matrix.UserID(q.User), matrix.DeviceID(q.Device)); err != nil {
		return err
	}
	c.busy.Go(c.sendWhatIsDue)
	return nil
}

// now is the time on the device.
func (c *client) now() time.Time {
	text, _ := os.ReadFile(c.clock) // none: nobody has moved it
	ahead, _ := time.ParseDuration(string(text))
	return time.Now().Add(ahead)
}

// Close ends the process as a user does.
func (c *client) Close() error {
	c.stop()
	c.end()
	c.busy.Wait()
	if c.store == nil {
		return nil
	}
	return c.store.Close()
}
