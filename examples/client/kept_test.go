package client_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/examples/client"
	"github.com/pawlkv/pawl/examples/internal/person"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// dying is a reader whose program dies over the first message.
type dying struct {
	client.Reader
	message matrix.EventID
}

var errDied = errors.New("died")

func (d *dying) Message(_ context.Context, e pawl.RoomEvent, _ pawl.DecryptedRoomEvent) error {
	d.message = e.ID
	return errDied
}

// TestKept: a message is read again by the process that comes after the one that died
// over it, though the token is behind it.
func TestKept(t *testing.T) {
	s := started(t)
	a, b := person.Login(t, s, alice), person.New(t, s, bob)
	file := filepath.Join(t.TempDir(), "bob.sync")
	process := func(r client.Reader) *client.Client {
		return &client.Client{Machine: b.Machine, Homeserver: b.Homeserver, Reader: r, Kept: file}
	}
	once(t, process(b)) // the first is answered at once, and publishes his keys
	once(t, process(b))
	room := a.Room(bob)
	once(t, process(b)) // he joins
	a.Says(room, "1", "are you there")
	dies := &dying{Reader: b}
	var err error
	for i := 0; i < 5 && err == nil; i++ { // the key of the room comes first, perhaps
		err = process(dies).Once(t.Context())
	}
	if !errors.Is(err, errDied) || dies.message == "" {
		t.Fatalf("reading ends with %v", err)
	}
	once(t, process(b))
	if got, want := b.Hears(), (person.Heard{Room: room, Sender: alice, Body: "are you there"}); got != want {
		t.Errorf("read again is %v, want %v", got, want)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the response is still kept: %v", err)
	}
}

// TestNotKept: what is not whole, or no response of a sync, is asked for again.
func TestNotKept(t *testing.T) {
	s := started(t)
	b := person.New(t, s, bob)
	b.Kept = filepath.Join(t.TempDir(), "bob.sync")
	if err := os.WriteFile(b.Kept, []byte(`{"since":"s1_1","respon`), 0o600); err != nil {
		t.Fatal(err)
	}
	once(t, b.Client)
	s.Fail(hs.Fault{Endpoint: "sync", Times: 1, Do: hs.Effect{Status: 200}})
	if err := b.Once(t.Context()); !errors.Is(err, pawl.ErrResponse) {
		t.Errorf("what is no response: %v, want %v", err, pawl.ErrResponse)
	}
	if _, err := os.Stat(b.Kept); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is kept: %v", err)
	}
	a := person.Login(t, s, alice)
	a.Room(bob)
	once(t, b.Client)
}

func once(t *testing.T, c *client.Client) {
	t.Helper()
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
}
