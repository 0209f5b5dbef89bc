package pawlpeer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/peers/stored"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

// What reading and writing in rooms cannot cost less than: the engine's commit of one
// value of the size that Pawl writes, and for reading the decryption before it.
const (
	outboundSize = 400 // of a sealed group-out record, about
	replaySize   = 80  // of a sealed replay record, about
)

// Bare are rows of the engines alone, beside what Pawl does in rooms.
func Bare() []peer.Bench {
	var benches []peer.Bench
	for _, o := range []opener{openBadger, openSQLite} {
		benches = append(benches,
			o.bare(peer.WorkloadRoomEncrypt, "everything", fmt.Sprintf("One commit of %d B, nothing else.", outboundSize), o.commits),
			o.bare(peer.WorkloadRoomDecrypt, "nothing until the next synced commit",
				fmt.Sprintf("Megolm alone, from the session's record, and one commit of %d B that is not synced.", replaySize), o.decrypts))
	}
	return benches
}

func (o opener) bare(workload, durable, also string, measure func(context.Context, peer.Task, kv.Store) (peer.Outcome, error)) peer.Bench {
	return peer.Bench{
		Entry: peer.Entry{
			ID: "bare-" + o.engine + "/" + workload, Messages: 400,
			Row: result.Row{
				Workload: workload, Params: result.Params{Sessions: 1}, System: "bare commit", Engine: o.engine, Durable: durable, Also: also,
			},
		},
		Measure: func(ctx context.Context, t peer.Task) (out peer.Outcome, err error) {
			engine, err := o.open(t.Dir)
			if err != nil {
				return out, err
			}
			defer func() { err = errors.Join(err, engine.Close()) }()
			return measure(ctx, t, engine)
		},
	}
}

// commits replaces one value again and again.
func (o opener) commits(ctx context.Context, t peer.Task, engine kv.Store) (peer.Outcome, error) {
	const key = "account/group-out/room"
	at, err := put(ctx, engine, kv.Read{Key: key}, outboundSize, true)
	if err != nil {
		return peer.Outcome{}, err
	}
	meter := peer.NewMeter(t.Messages)
	for range t.Messages {
		err := meter.Call(func() (err error) {
			at, err = put(ctx, engine, kv.Read{Key: key, Version: at}, outboundSize, true)
			return err
		})
		if err != nil {
			return peer.Outcome{}, err
		}
	}
	return meter.Stop(t.Messages), nil
}

func put(ctx context.Context, engine kv.Store, read kv.Read, size int, sync bool) (kv.Version, error) {
	return engine.Commit(ctx, &kv.Batch{
		ID: kv.NewCommitID(read.Version), Reads: []kv.Read{read},
		Writes: []kv.Write{{Key: read.Key, Value: make([]byte, size)}}, Sync: sync,
	})
}

// decrypts reads events as group does, from the session's record, and puts a value of
// its own for each.
func (o opener) decrypts(ctx context.Context, t peer.Task, engine kv.Store) (out peer.Outcome, err error) {
	room, err := stored.NewRoom(stored.Device{User: "@alice:example.org", ID: "ALICE"})
	if err != nil {
		return out, err
	}
	record, err := inbound(room)
	if err != nil {
		return out, err
	}
	events := make([]stored.RoomEvent, t.Messages)
	for i := range events {
		if events[i], err = room.Event(); err != nil {
			return out, err
		}
	}
	// A commit's id has to be of this store's time.
	at, err := put(ctx, engine, kv.Read{Key: "account/group-in/session"}, outboundSize, true)
	if err != nil {
		return out, err
	}
	var reached group.Reached
	meter := peer.NewMeter(t.Messages)
	for _, e := range events {
		err := meter.Call(func() (err error) {
			if reached, err = decryptEvent(record, e, reached); err != nil {
				return err
			}
			key := "account/replay/session/" + string(e.ID)
			at, err = engine.Commit(ctx, &kv.Batch{
				ID: kv.NewCommitID(at), Reads: []kv.Read{{Key: key}},
				Writes: []kv.Write{{Key: key, Value: make([]byte, replaySize)}},
			})
			return err
		})
		if err != nil {
			return out, err
		}
	}
	return meter.Stop(t.Messages), nil
}

// inbound is the record of a room's session for those who read it.
func inbound(r *stored.Room) ([]byte, error) {
	shared, err := r.Key()
	if err != nil {
		return nil, err
	}
	b, err := base64.RawStdEncoding.DecodeString(shared.SessionKey)
	if err != nil {
		return nil, err
	}
	key, err := group.ParseSharedKey(b)
	if err != nil {
		return nil, err
	}
	in, err := group.NewInbound(matrix.RoomID(shared.RoomID), group.NewCopy(key, group.Source{Provenance: group.Direct}))
	if err != nil {
		return nil, err
	}
	return in.Encode()
}

func decryptEvent(record []byte, e stored.RoomEvent, reached group.Reached) (group.Reached, error) {
	var content struct{ Ciphertext string }
	if err := json.Unmarshal(e.Content, &content); err != nil {
		return reached, err
	}
	body, err := base64.RawStdEncoding.DecodeString(content.Ciphertext)
	if err != nil {
		return reached, err
	}
	m, err := group.ParseMessage(body)
	if err != nil {
		return reached, err
	}
	in, err := group.DecodeInbound(record)
	if err != nil {
		return reached, err
	}
	_, reached, err = in.DecryptFrom(reached, m)
	return reached, err
}
