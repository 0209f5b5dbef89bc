package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"os"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// cmdRoomKeys is "roomkeys STORE N ROOM": the account gets the keys of N sessions.
func cmdRoomKeys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: roomkeys STORE N ROOM")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	withMachine(ts, args[0], time.Now, func(ctx context.Context, m *pawl.Machine) {
		done, err := m.ImportRoomKeys(ctx, someRoomKeys(n, matrix.RoomID(args[2])))
		ts.Check(err)
		if done.New != n {
			ts.Fatalf("%+v", done)
		}
	})
}

// someRoomKeys are the keys of new sessions.
func someRoomKeys(n int, room matrix.RoomID) (keys []pawl.RoomKey) {
	for range n {
		s, err := group.NewSender(rand.Reader)
		if err != nil {
			panic(err) // rand has no errors
		}
		source := group.Source{Provenance: group.Backup}
		rand.Read(source.Sender[:])
		keys = append(keys, pawl.RoomKey{Room: room, Key: s.Key(), Source: source})
	}
	return keys
}

// cmdForget is "forget STORE ROOM": the account forgets the keys of a room.
func cmdForget(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: forget STORE ROOM")
	}
	withMachine(ts, args[0], time.Now, func(ctx context.Context, m *pawl.Machine) {
		_, err := m.ForgetRoomKeys(ctx, pawl.Forgetting{Room: matrix.RoomID(args[1])})
		ts.Check(err)
	})
}

// cmdRounds is "rounds N FILE": it writes a room key file of so many rounds, under the
// passphrase "correct horse", as this command would never: the first two keys are none.
func cmdRounds(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: rounds N FILE")
	}
	n, err := strconv.ParseUint(args[0], 10, 32)
	ts.Check(err)
	one := someRoomKeys(1, "!few:example.org")[0]
	exported, err := one.Key.Export(nil)
	ts.Check(err)
	text, err := json.Marshal([]any{map[string]any{}, 7, map[string]any{
		"algorithm": "m.megolm.v1.aes-sha2", "room_id": one.Room, "session_id": one.Key.ID().String(),
		"session_key": base64.StdEncoding.EncodeToString(exported), "sender_key": one.Source.Sender.String(),
	}})
	ts.Check(err)
	b := make([]byte, 33)
	b[0] = 1
	rand.Read(b[1:])
	b = append(binary.BigEndian.AppendUint32(b, uint32(n)), text...)
	keys, err := pbkdf2.Key(sha512.New, "correct horse", b[1:17], int(max(1, n%1001)), 64)
	ts.Check(err)
	block, err := aes.NewCipher(keys[:32])
	ts.Check(err)
	cipher.NewCTR(block, b[17:33]).XORKeyStream(b[37:], b[37:])
	mac := hmac.New(sha256.New, keys[32:])
	mac.Write(b)
	file := "-----BEGIN MEGOLM SESSION DATA-----\r\n" + base64.StdEncoding.EncodeToString(mac.Sum(b)) + "\r\n-----END MEGOLM SESSION DATA-----"
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(file), 0o600))
}
