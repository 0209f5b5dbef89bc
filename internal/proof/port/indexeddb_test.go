package port

import (
	"encoding/binary"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/testfiles"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// databaseVector is what a browser kept of a store, as JSON, and an event to be read.
type databaseVector struct {
	Name, Expect string
	Key          testfiles.Hex
	User         matrix.UserID
	Device       matrix.DeviceID
	RoomKey      map[string]string
	Event        struct {
		Room    matrix.RoomID
		ID      matrix.EventID
		Sender  matrix.UserID
		Content json.RawMessage
	}
	Content  json.RawMessage
	Database struct {
		Version int
		Stores  []objectStore
	}
}

type objectStore struct {
	Name    string
	Indexes []struct{ Name, Path string }
	Rows    []struct{ Key, Value json.RawMessage }
}

// byteArray is how a Uint8Array stands in the file.
type byteArray struct{ Bytes testfiles.Hex }

func bytesIn(t *testing.T, raw json.RawMessage) []byte {
	t.Helper()
	var b byteArray
	testfiles.Strict(t, raw, &b)
	return b.Bytes
}

// openDatabases opens each store without a browser: what it keeps in entries are the entries
// of any engine, behind their versions. A browser opens the same in internal/proof/web.
func openDatabases(t *testing.T, f testfiles.Vectors) {
	for _, v := range testfiles.List[databaseVector](t, f) {
		t.Run(v.Name, func(t *testing.T) {
			stores := map[string]objectStore{}
			for _, s := range v.Database.Stores {
				stores[s.Name] = s
			}
			engine, batch := memkv.New(), &kv.Batch{ID: kv.NewCommitID(0)}
			for _, row := range stores["entries"].Rows {
				value := bytesIn(t, row.Value)
				version := binary.BigEndian.Uint64(value)
				if version == 0 || version > uint64(len(stores["commits"].Rows)) {
					t.Errorf("an entry has version %d, and there are %d commits", version, len(stores["commits"].Rows))
				}
				batch.Writes = append(batch.Writes, kv.Write{Key: string(bytesIn(t, row.Key)), Value: value[8:]})
			}
			if len(batch.Writes) == 0 || len(stores["changes"].Rows) != len(stores["commits"].Rows) {
				t.Fatalf("%d entries, %d commits, %d changes", len(batch.Writes), len(stores["commits"].Rows), len(stores["changes"].Rows))
			}
			if _, err := engine.Commit(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			store, err := pawl.Open(t.Context(), engine, pawl.WithKey([32]byte(v.Key)))
			if err != nil {
				t.Fatal(err)
			}
			if found, err := store.Check(t.Context()); len(found) > 0 || err != nil {
				t.Errorf("check finds %v, %v", found, err)
			}
			m, err := store.Machine(t.Context(), v.User, v.Device)
			if err != nil {
				t.Fatal(err)
			}
			read, err := m.DecryptRoomEvent(t.Context(), pawl.RoomEvent{Room: v.Event.Room, ID: v.Event.ID, Sender: v.Event.Sender, Content: v.Event.Content})
			f.Want(t, v.Expect, err)
			var got, want any
			if err := json.Unmarshal(read.Content, &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(v.Content, &want); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("the event reads %s, want %s", read.Content, v.Content)
			}
		})
	}
}
