package web

import (
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"reflect"
	"testing"
)

var makeImage = flag.Bool("image.make", false, "write vectors/images/indexeddb.json again: older ones are then read by nothing")

//go:embed static/image.js
var imageScript []byte

// imagePath has what a browser kept of a store, as JSON: see docs/port/images.md.
const imagePath = mainModule + "/vectors/images/indexeddb.json"

// image is a vector of that file, as the page takes it.
type image struct {
	Name     string          `json:"name"`
	Expect   string          `json:"expect"`
	Key      string          `json:"key"`
	User     string          `json:"user"`
	Device   string          `json:"device"`
	RoomKey  map[string]any  `json:"roomKey"`
	Event    map[string]any  `json:"event"`
	Content  json.RawMessage `json:"content"`
	Database json.RawMessage `json:"database"`
}

// imageFile is that file.
type imageFile struct {
	Format      int               `json:"format"`
	Kind        string            `json:"kind"`
	Description string            `json:"description"`
	Origin      map[string]string `json:"origin"`
	Expect      []string          `json:"expect"`
	Vectors     []image           `json:"vectors"`
}

// TestImageOfIndexedDB: a database that an older version made is put in place, the store in it
// opened by its key, found whole, and an event read with its room key.
func TestImageOfIndexedDB(t *testing.T) {
	if *makeImage {
		writeImage(t)
	}
	b, err := os.ReadFile(imagePath)
	if err != nil {
		t.Fatal(err)
	}
	var file imageFile
	if err := json.Unmarshal(b, &file); err != nil || len(file.Vectors) == 0 {
		t.Fatalf("%d images, %v", len(file.Vectors), err)
	}
	for _, v := range file.Vectors {
		var got, want struct {
			Content any
			Broken  []string
		}
		said := askOfImage(t, v, "read")
		if err := json.Unmarshal([]byte(said), &got); err != nil {
			t.Fatalf("%s: %v", said, err)
		}
		if err := json.Unmarshal(v.Content, &want.Content); err != nil {
			t.Fatal(err)
		}
		if len(got.Broken) > 0 || !reflect.DeepEqual(got.Content, want.Content) {
			t.Errorf("%s: it reads %v, and %v is broken; want %v", v.Name, got.Content, got.Broken, want.Content)
		}
	}
}

// askOfImage has a page do something with an image, in a database of its own.
func askOfImage(t *testing.T, v image, what string) string {
	t.Helper()
	server := NewModuleServer(t, Package(t))
	server.mux.HandleFunc("/image.js", script(imageScript))
	server.mux.HandleFunc("/image", page(`<script type="module" src="/image.js"></script>`))
	server.mux.HandleFunc("/image.json", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(v) })
	address, asked := server.Address("image", rand.Text(), what, "image.pawl")
	defer Shared(t).Open(address).Close()
	said := server.Wait(asked, patience)
	if asked.Code != 0 {
		t.Fatalf("%s: %s", what, said)
	}
	return said
}

func writeImage(t *testing.T) {
	t.Helper()
	made := startUpEvent(t)
	event := made["event"].(map[string]any)
	sessionKey, err := base64.StdEncoding.DecodeString(made["sessionKey"].(string))
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	v := image{
		Name: "a store of IndexedDB", Expect: "accepted", Key: hex.EncodeToString(key), User: "@alice:example.org", Device: "PHONE",
		RoomKey: map[string]any{
			"roomId": made["room"], "sessionId": made["session"], "senderKey": made["senderKey"], "provenance": "file",
			"sessionKey": hex.EncodeToString(sessionKey), "senderClaimedEd25519Key": made["signs"],
		},
		Event:   map[string]any{"room": event["room_id"], "id": event["event_id"], "sender": event["sender"], "content": event["content"]},
		Content: json.RawMessage(`{"body":"hello"}`),
	}
	v.Database = json.RawMessage(askOfImage(t, v, "make"))
	b, err := json.MarshalIndent(imageFile{
		Format: 1, Kind: "pawl-image-indexeddb", Description: "Databases of IndexedDB with a store, and an event that was not read yet.",
		Origin: map[string]string{
			"library": "Pawl: nobody else has these stores", "date": "2026-11-30",
			"command": "cd internal/proof/web && PAWL_WEB=1 go test -run TestImageOfIndexedDB . -image.make",
		},
		Expect: []string{"accepted"}, Vectors: []image{v},
	}, "", " ")
	if err == nil {
		err = os.WriteFile(imagePath, append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
