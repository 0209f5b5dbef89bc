// Command echobridge is a bridge of mautrix-go's bridgev2 to a network that tests play:
// what Matrix says it tells them, and what they say its ghosts say in Matrix. It makes
// its matrix.Connector itself, and builds without C.
//
// Its argument is a file with a Config. On standard input it takes a line for each
// message of the network, and on standard output it tells a line for whatever happens. It
// may be killed at any time and started again; with the end of its input it ends.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/ncruces/go-sqlite3/driver"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	pawlbridge "github.com/pawlkv/pawl/mautrix/bridge"
)

// Line is what is told and taken. Events are "room" (a chat's), "ready" (with the device),
// "handled" (an event of Matrix has arrived in the network), "sent" and "unsent" (a
// message of the network), "failed" (an event could not be read, for now or for good).
type Line struct {
	Event           string
	Room, Ghost     int
	ID, Body, Error string
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "echobridge:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	n := &network{tell: tell()}
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = json.Unmarshal(text, &n.config)
	}
	if err != nil {
		return err
	}
	if err = n.open(); err == nil {
		err = n.bridge.Start(ctx)
	}
	if err != nil {
		return err
	}
	login, err := n.rooms(ctx)
	if err != nil {
		return err
	}
	n.tell(Line{Event: "ready", ID: string(n.connector.Crypto.Client().DeviceID)})
	for said := bufio.NewScanner(os.Stdin); said.Scan(); {
		var q Line
		if err := json.Unmarshal(said.Bytes(), &q); err != nil {
			return err
		}
		n.say(login, q)
	}
	n.bridge.Stop()
	return nil
}

// tell writes lines, each in one write: who is killed has told it whole or not.
func tell() func(Line) {
	var mu sync.Mutex
	return func(l Line) {
		text, _ := json.Marshal(l) // strings and numbers
		mu.Lock()
		defer mu.Unlock()
		_, _ = os.Stdout.Write(append(text, '\n'))
	}
}

// open makes the bridge, and sets its crypto.
func (n *network) open() error {
	raw, err := driver.Open("file:" + filepath.Join(n.config.Folder, "bridge.db") + "?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		return err
	}
	log := zerolog.New(os.Stderr).Level(zerolog.DebugLevel).With().Timestamp().Logger()
	n.connector = matrix.NewConnector(n.config.matrix())
	bridgev2.NewBridge("echo", db, log, &n.connector.Config.Bridge, n.connector, n, commands.NewProcessor)
	n.connector.Crypto = teller{pawlbridge.NewBridgeCrypto(n.connector, filepath.Join(n.config.Folder, "store")), n.tell}
	return nil
}

// teller tells of events that cannot be read.
type teller struct {
	matrix.Crypto
	tell func(Line)
}

// Decrypt implements matrix.Crypto.
func (t teller) Decrypt(ctx context.Context, e *event.Event) (*event.Event, error) {
	d, err := t.Crypto.Decrypt(ctx, e)
	if err != nil {
		t.tell(Line{Event: "failed", ID: string(e.ID), Error: err.Error()})
	}
	return d, err
}

// rooms has a login for each user and a room for each chat: what is not there is made.
func (n *network) rooms(ctx context.Context) (first *bridgev2.UserLogin, err error) {
	var all []*bridgev2.UserLogin
	for _, u := range n.config.Users {
		user, err := n.bridge.GetUserByMXID(ctx, u)
		if err != nil {
			return nil, err
		}
		login, err := user.NewLogin(ctx, &database.UserLogin{ID: networkid.UserLoginID(u), RemoteName: string(u)}, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, login)
	}
	for room := range n.config.Rooms {
		portal, err := n.bridge.GetPortalByKey(ctx, networkid.PortalKey{ID: chat(room)})
		if err != nil {
			return nil, err
		}
		for _, login := range all { // the first makes it
			if err := portal.CreateMatrixRoom(ctx, login, nil); err != nil {
				return nil, err
			}
		}
		n.tell(Line{Event: "room", Room: room, ID: string(portal.MXID)})
	}
	return all[0], nil
}
