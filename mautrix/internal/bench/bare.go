package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/kv"
)

// outboundSize is about that of what Pawl writes for a message, sealed.
const outboundSize = 400

// encrypted has the size of the content of an encrypted event that says what is said.
var encrypted = json.RawMessage(`{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"` + strings.Repeat("A", 640) + `","device_id":"BOB","sender_key":"` +
	strings.Repeat("A", 43) + `","session_id":"` + strings.Repeat("A", 43) + `"}`)

// bench is what a message into a room that has its key cannot cost less than: one commit of
// an engine that is synced, and the request.
func (e engine) bench() peer.Bench {
	return peer.Bench{
		Entry: peer.Entry{ID: "bare-" + e.name, Messages: singly, Row: result.Row{
			Workload: later, Params: result.Params{Peers: peers}, System: bare, Engine: e.name, Durable: "everything",
		}},
		Measure: func(ctx context.Context, t peer.Task) (o peer.Outcome, err error) {
			at, err := newServer()
			if err != nil {
				return o, err
			}
			defer at.close()
			k, err := e.open(t.Dir)
			if err != nil {
				return o, err
			}
			defer func() { err = errors.Join(err, k.Close()) }()
			return e.commits(ctx, t, at, k)
		},
	}
}

func (e engine) commits(ctx context.Context, t peer.Task, at *server, k kv.Store) (o peer.Outcome, err error) {
	c, _, err := newClient(at, bob, bobDevice)
	if err != nil {
		return o, err
	}
	var version kv.Version
	do := func() (err error) {
		version, err = k.Commit(ctx, &kv.Batch{
			ID: kv.NewCommitID(version), Reads: []kv.Read{{Key: "account/group-out/room", Version: version}},
			Writes: []kv.Write{{Key: "account/group-out/room", Value: make([]byte, outboundSize)}}, Sync: true,
		})
		if err != nil {
			return err
		}
		_, err = c.SendMessageEvent(ctx, room(0), event.EventEncrypted, encrypted, mautrix.ReqSendEvent{DontEncrypt: true})
		return err
	}
	if err := do(); err != nil { // a connection, as the others have one
		return o, err
	}
	meter := peer.NewMeter(t.Messages)
	for range t.Messages {
		if err := meter.Call(do); err != nil {
			return o, err
		}
	}
	return meter.Stop(t.Messages), nil
}
