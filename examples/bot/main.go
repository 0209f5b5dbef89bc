// Command bot answers whoever says something in an encrypted room that it was
// invited to, encrypted:
//
//	PAWL_TOKEN=... go run ./examples/bot -homeserver https://matrix.example.org -store bot.pawl
//
// The access token is that of a login of its own: Pawl makes the device's keys. It
// may be killed at any time. Started again it goes on where it was, and says nothing
// twice.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/examples/client"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/matrix"
)

func main() {
	server := flag.String("homeserver", "http://localhost:8008", "where the bot is logged in")
	store := flag.String("store", "bot.pawl", "directory of its keys")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, client.Homeserver{URL: *server, Token: os.Getenv("PAWL_TOKEN")}, *store)
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

func run(ctx context.Context, server client.Homeserver, path string) (err error) {
	user, device, err := server.WhoAmI(ctx)
	if err != nil {
		return err
	}
	engine, err := badgerkv.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	store, err := keyfile.Open(ctx, engine, filepath.Join(path, "pawl.key"))
	if err != nil {
		return err
	}
	machine, err := store.OpenOrCreate(ctx, user, device)
	if err != nil {
		return err
	}
	b := &bot{user: user}
	b.Client = &client.Client{Machine: machine, Homeserver: server, Reader: b, Kept: strings.TrimSuffix(path, "/") + ".sync"}
	return b.Run(ctx)
}

// bot is who reads, and answers.
type bot struct {
	*client.Client
	user matrix.UserID
}

// Message answers a text. The name of the answer is that of what it answers, so that
// it is one event though the bot died between saying it and knowing.
func (b *bot) Message(ctx context.Context, e pawl.RoomEvent, read pawl.DecryptedRoomEvent) error {
	var said struct {
		Type string `json:"msgtype"`
		Body string `json:"body"`
	}
	if json.Unmarshal(read.Content, &said) != nil || e.Sender == b.user || read.Type != "m.room.message" || said.Type != "m.text" {
		return nil // notices, which bots send, are not answered
	}
	answer, err := json.Marshal(map[string]string{"msgtype": "m.notice", "body": "You said: " + said.Body})
	if err != nil {
		return err
	}
	return client.Allowed(b.Say(ctx, e.Room, "answer-"+string(e.ID), "m.room.message", answer))
}

// Invited accepts.
func (b *bot) Invited(ctx context.Context, room matrix.RoomID) error {
	return client.Allowed(b.Join(ctx, room))
}

// ToDevice has no use for anything.
func (b *bot) ToDevice(context.Context, pawl.ToDeviceEvent) error { return nil }
