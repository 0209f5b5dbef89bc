package client_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/examples/client"
	"github.com/pawlkv/pawl/examples/internal/person"
	"github.com/pawlkv/pawl/matrix"
)

// taste is what README.md shows of rooms.
func taste(ctx context.Context, phone *client.Client, room matrix.RoomID, members []matrix.UserID, send func(content []byte) pawl.RoomEvent) (pawl.DecryptedRoomEvent, error) {
	var sharing pawl.Sharing
	var err error
	for err == nil && !sharing.Done { // until all devices of the members have the room's key
		if sharing, err = phone.ShareRoomKey(ctx, room, members, pawl.RoomSettings{}); err == nil {
			err = phone.Deliver(ctx, sharing.Requests) // yours: HTTP, then MarkSent or MarkFailed
		}
	}
	content, err := phone.EncryptRoomEvent(ctx, room, "m.room.message", []byte(`{"msgtype":"m.text","body":"hi"}`))
	if err != nil {
		return pawl.DecryptedRoomEvent{}, err
	}
	received := send(content) // PUT .../send/m.room.encrypted, and what the next sync brings
	return phone.DecryptRoomEvent(ctx, received)
}

// TestTaste: what README.md shows is this code, and does what it says.
func TestTaste(t *testing.T) {
	source := read(t, "taste_test.go")
	tree, err := parser.ParseFile(token.NewFileSet(), "", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "taste" {
			body := source[f.Body.Lbrace : f.Body.Rbrace-1] // positions begin at 1
			shown := "```go" + strings.ReplaceAll(body, "\n\t", "\n") + "```"
			if !strings.Contains(read(t, "../../README.md"), shown) {
				t.Errorf("README.md does not show\n%s", shown)
			}
		}
	}
	s := started(t)
	a := person.Login(t, s, alice)
	room := a.Room()
	if err := a.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	opened, err := taste(t.Context(), a.Client, room, []matrix.UserID{alice}, func(content []byte) pawl.RoomEvent {
		return pawl.RoomEvent{Room: room, ID: "$1", Sender: alice, Content: content}
	})
	if err != nil || string(opened.Content) != `{"body":"hi","msgtype":"m.text"}` {
		t.Errorf("%s, %v", opened.Content, err)
	}
}
