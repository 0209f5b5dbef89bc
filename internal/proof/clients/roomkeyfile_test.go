package clients

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/roomkeyfile"
)

// filePassphrase has bytes that are spelled in two ways in Unicode: none is the other.
const filePassphrase = "päss wörd  "

// carriers are others who read a room key file and write what they have read to one of
// their own.
var carriers = map[string]func(t *testing.T, file []byte) []byte{"mautrix": carriedByMautrix, "node": carriedByNode}

func carriedByMautrix(t *testing.T, file []byte) []byte {
	store := crypto.NewMemoryStore(nil)
	machine := crypto.NewOlmMachine(nil, nil, store, nil)
	imported, total, err := machine.ImportKeys(t.Context(), filePassphrase, file)
	if err != nil || imported != total {
		t.Fatalf("mautrix-go imports %d of %d, %v", imported, total, err)
	}
	out, err := crypto.ExportKeysIter(filePassphrase, store.GetAllGroupSessions(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func carriedByNode(t *testing.T, file []byte) []byte {
	needKinds(t, "node")
	in, err := json.Marshal(map[string]any{"file": string(file), "passphrase": filePassphrase, "rounds": 120_000})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "carry.mjs")
	cmd.Dir = "nodebot"
	cmd.Stdin = bytes.NewReader(in)
	var told strings.Builder
	cmd.Stderr = &told
	out, err := cmd.Output()
	var answer struct {
		Imported, Total int
		File            string
	}
	if err != nil || json.Unmarshal(out, &answer) != nil || answer.Imported != answer.Total {
		t.Fatalf("matrix-sdk-crypto imports %d of %d, %v: %s", answer.Imported, answer.Total, err, told.String())
	}
	return []byte(answer.File)
}

// newMachine is a device that reads in rooms and does nothing else.
func newMachine(t *testing.T, user matrix.UserID) *pawl.Machine {
	t.Helper()
	store, err := pawl.Open(t.Context(), memkv.New(), pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.Create(t.Context(), user, "DEVICE")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// exported is all that a device exports, and its file.
func exported(t *testing.T, m *pawl.Machine) (map[group.SessionID]pawl.RoomKey, []byte) {
	t.Helper()
	var out bytes.Buffer
	w, err := roomkeyfile.NewWriter(&out, rand.Reader, []byte(filePassphrase))
	if err != nil {
		t.Fatal(err)
	}
	all := map[group.SessionID]pawl.RoomKey{}
	for k, err := range m.ExportRoomKeys(t.Context(), pawl.RoomKeyExport{}) {
		if err == nil {
			err = w.Add(k)
		}
		if err != nil {
			t.Fatal(err)
		}
		all[k.Key.ID()] = k
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return all, out.Bytes()
}

// imports reads a file into a device.
func imports(t *testing.T, m *pawl.Machine, file []byte) pawl.RoomKeyCounts {
	t.Helper()
	r, err := roomkeyfile.NewReader(bytes.NewReader(file))
	if err == nil {
		err = r.Unlock(context.Background(), []byte(filePassphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	done, err := m.ImportRoomKeysFrom(t.Context(), r.Keys(), pawl.RoomKeyImport{
		Refused: func(k pawl.RefusedRoomKey) { t.Errorf("key %d is refused: %v", k.Place, k.Err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// TestRoomKeyFiles: what Pawl exports others import, and what they export of it Pawl
// imports: the same keys of the same sessions, rooms and devices, from the same index.
func TestRoomKeyFiles(t *testing.T) {
	for kind, carry := range carriers {
		t.Run(kind, func(t *testing.T) {
			alice, bob := newMachine(t, "@alice:example.org"), newMachine(t, "@bob:example.org")
			var keys []pawl.RoomKey
			for i := range uint32(20) {
				keys = append(keys, fileKey(t, i))
			}
			if done, err := alice.ImportRoomKeys(t.Context(), keys); err != nil || done.New != len(keys) {
				t.Fatalf("%+v, %v", done, err)
			}
			want, file := exported(t, alice)
			if done := imports(t, bob, carry(t, file)); done.New != len(keys) {
				t.Fatalf("%+v", done)
			}
			got, _ := exported(t, bob)
			for session, key := range want {
				if !sameKey(t, got[session], key) {
					t.Errorf("%s of %s: %+v, want %+v", session, key.Room, got[session].Source, key.Source)
				}
			}
		})
	}
}

// TestOddKeysInFiles: 32 bytes that are no Ed25519 key, of a device or a session, do not
// make others refuse the whole file.
func TestOddKeysInFiles(t *testing.T) {
	off := account.VerifyKey{2} // the curve
	claimed, named := fileKey(t, 0), fileKey(t, 1)
	claimed.Source.Claimed = off
	b, err := named.Key.Export(nil)
	if err != nil {
		t.Fatal(err)
	}
	if named.Key, err = group.ParseExportedKey(append(b[:len(b)-len(off)], off[:]...)); err != nil {
		t.Fatal(err)
	}
	alice := newMachine(t, "@alice:example.org")
	if done, err := alice.ImportRoomKeys(t.Context(), []pawl.RoomKey{claimed, named, fileKey(t, 2)}); err != nil || done.New != 3 {
		t.Fatalf("%+v, %v", done, err)
	}
	_, file := exported(t, alice)
	for kind, carry := range carriers {
		t.Run(kind, func(t *testing.T) {
			if done := imports(t, newMachine(t, "@bob:example.org"), carry(t, file)); done.New != 2 {
				t.Errorf("%+v", done)
			}
		})
	}
}

// fileKey is a key of a new session, from an index on.
func fileKey(t *testing.T, index uint32) pawl.RoomKey {
	t.Helper()
	s, err := group.NewSender(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.Key().Advance(index * 300)
	if err != nil {
		t.Fatal(err)
	}
	signing, err := account.GenerateSigningKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	source := group.Source{Provenance: group.File, Claimed: signing.Public(), SharedHistory: index%2 == 0}
	rand.Read(source.Sender[:])
	return pawl.RoomKey{Room: matrix.RoomID(fmt.Sprintf("!%d:example.org", index%3)), Key: key, Source: source}
}

func sameKey(t *testing.T, a, b pawl.RoomKey) bool {
	t.Helper()
	x, errX := a.Key.Export(nil)
	y, errY := b.Key.Export(nil)
	return errX == nil && errY == nil && bytes.Equal(x, y) && a.Room == b.Room && a.Source == b.Source
}

// TestRoomKeysOfGoolm: Pawl reads what a session of goolm encrypts with the key that
// mautrix-go has exported.
func TestRoomKeysOfGoolm(t *testing.T) {
	const room = matrix.RoomID("!room:example.org")
	out, err := olm.NewOutboundGroupSession()
	if err != nil {
		t.Fatal(err)
	}
	of := fileKey(t, 1).Source
	in, err := crypto.NewInboundGroupSession(id.SenderKey(of.Sender.String()), id.Ed25519(of.Claimed.String()), id.RoomID(room), out.Key(), 0, 0, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	file, err := crypto.ExportKeys(filePassphrase, []*crypto.InboundGroupSession{in})
	if err != nil {
		t.Fatal(err)
	}
	alice := newMachine(t, "@alice:example.org")
	if done := imports(t, alice, file); done.New != 1 {
		t.Fatalf("%+v", done)
	}
	ciphertext, err := out.Encrypt([]byte(`{"type":"m.room.message","content":{"body":"it is me"},"room_id":"!room:example.org"}`))
	if err != nil {
		t.Fatal(err)
	}
	content, err := json.Marshal(map[string]any{"algorithm": account.Megolm, "session_id": out.ID(), "ciphertext": string(ciphertext)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := alice.DecryptRoomEvent(t.Context(), pawl.RoomEvent{Room: room, ID: "$1", Sender: "@bob:example.org", Content: content})
	if err != nil || string(got.Content) != `{"body":"it is me"}` || got.Provenance != group.File || got.Sender.Curve25519 != of.Sender {
		t.Errorf("%s of %s, %v", got.Content, got.Provenance, err)
	}
}
