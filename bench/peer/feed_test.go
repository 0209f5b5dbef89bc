package peer

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestFeedIsRoomKeys(t *testing.T) {
	f := NewFeed(7, 3)
	if !reflect.DeepEqual(f, NewFeed(7, 3)) {
		t.Error("one seed made two feeds")
	}
	if reflect.DeepEqual(f.RoomKeys, NewFeed(8, 3).RoomKeys) {
		t.Error("two seeds made one feed")
	}
	for _, k := range f.RoomKeys {
		key, err := base64.RawStdEncoding.DecodeString(k.SessionKey)
		if err != nil {
			t.Fatal(err)
		}
		public, signature := key[133:165], key[165:]
		if len(key) != 229 || key[0] != 2 || base64.RawStdEncoding.EncodeToString(public) != k.SessionID {
			t.Errorf("%d bytes, version %d, session %s", len(key), key[0], k.SessionID)
		}
		if !ed25519.Verify(public, key[:165], signature) {
			t.Error("the signature does not hold")
		}
	}
}

func TestFeedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "feed.json")
	want := NewFeed(1, 2)
	if err := want.Save(path); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadFeed(path, 2); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := LoadFeed(path, 3); !errors.Is(err, ErrProtocol) {
		t.Errorf("too few room keys: %v", err)
	}
	if _, err := LoadFeed(path+"x", 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte(`{"format":9,"seed":1,"room_keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadFeed(path, 0); !errors.Is(err, ErrProtocol) {
		t.Errorf("other format: %v", err)
	}
}

func TestPayload(t *testing.T) {
	k := RoomKey{"!r:x", "id", "key"}
	b, err := json.Marshal(Payload{Content: k.Content(), Recipient: "@bob:x", Sender: "@alice:x", Type: Note})
	want := `{"content":{"algorithm":"m.megolm.v1.aes-sha2","room_id":"!r:x","session_id":"id","session_key":"key"},` +
		`"keys":{"ed25519":""},"recipient":"@bob:x","recipient_keys":{"ed25519":""},"sender":"@alice:x","type":"com.example.note"}`
	if string(b) != want || err != nil {
		t.Errorf("%s, %v", b, err)
	}
}
