// Command bridge is an application service of users, its ghosts, of which each has a
// device with keys of its own, all in one store. What others say in their rooms goes
// out as a line of JSON, and a line that comes in is said by its ghost, encrypted.
//
//	PAWL_AS_TOKEN=... PAWL_HS_TOKEN=... go run ./examples/bridge -ghosts 1000 -domain example.org
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/examples/client"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/matrix"
)

func main() {
	server := flag.String("homeserver", "http://localhost:8008", "where the bridge is registered")
	path := flag.String("store", "bridge.pawl", "directory of all keys")
	listen := flag.String("listen", "localhost:9000", "where the homeserver pushes to")
	domain := flag.String("domain", "localhost", "of the ghosts: @bridge_0:localhost ...")
	ghosts := flag.Int("ghosts", 10, "how many there are")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	engine, err := badgerkv.Open(*path)
	if err != nil {
		log.Fatal(err)
	}
	at := client.Homeserver{URL: *server, Token: os.Getenv("PAWL_AS_TOKEN")}
	s := &client.Service{Homeserver: at, Reader: &printer{out: json.NewEncoder(os.Stdout)}}
	s.Store, err = keyfile.Open(ctx, engine, filepath.Join(*path, "pawl.key"))
	users := make([]matrix.UserID, *ghosts)
	for i := range users {
		users[i] = matrix.UserID(fmt.Sprintf("@bridge_%d:%s", i, *domain))
	}
	if err == nil {
		err = s.Enter(ctx, "BRIDGE", users...) // logs in, and publishes keys
	}
	if err == nil {
		go relay(ctx, s, json.NewDecoder(os.Stdin))
		h := &http.Server{Addr: *listen, Handler: client.Transactions(os.Getenv("PAWL_HS_TOKEN"), s.Take)}
		context.AfterFunc(ctx, func() { h.Close() })
		err = h.ListenAndServe()
	}
	if err = errors.Join(err, engine.Close()); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

// line is what is said. What comes in twice under one name of an event is said once.
type line struct {
	Room  matrix.RoomID  `json:"room"`
	User  matrix.UserID  `json:"user"`
	Body  string         `json:"body"`
	Event matrix.EventID `json:"event"`
}

// relay lets ghosts say what comes in.
func relay(ctx context.Context, s *client.Service, in *json.Decoder) {
	for l := (line{}); in.Decode(&l) == nil; l = (line{}) {
		content, err := json.Marshal(map[string]string{"msgtype": "m.text", "body": l.Body})
		if err == nil {
			err = s.Say(ctx, l.User, l.Room, string(l.Event), "m.room.message", content)
		}
		if err != nil {
			log.Printf("%q is not said: %v", l.Event, err)
		}
	}
}

// printer is the other side: it is told what others than ghosts say.
type printer struct {
	client.Reader // ghosts are told of nothing else
	mu            sync.Mutex
	out           *json.Encoder
}

func (p *printer) Message(_ context.Context, e pawl.RoomEvent, read pawl.DecryptedRoomEvent) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var said struct{ Body string }
	if json.Unmarshal(read.Content, &said) != nil || strings.HasPrefix(string(e.Sender), "@bridge_") {
		return nil
	}
	return p.out.Encode(line{e.Room, e.Sender, said.Body, e.ID})
}
