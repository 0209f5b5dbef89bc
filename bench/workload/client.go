package workload

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// What one of Bob's processes does of a whole client.

// ask asks where the next sync begins.
func (b *bob) ask(ctx context.Context, a *answer) (err error) {
	release, err := b.shared.Hold(ctx, design.Decrypting)
	if err != nil {
		return err
	}
	defer release()
	b.ticket, err = b.machine.NextSync(ctx)
	if err != nil && !notOfDesign(err) {
		a.Troubles, err = append(a.Troubles, saidOf(err)), nil
	}
	a.Since = b.ticket.Since
	return err
}

// sync takes in a response.
func (b *bob) sync(ctx context.Context, response []byte, a *answer) error {
	release, err := b.shared.Hold(ctx, design.Decrypting)
	if err != nil {
		return err
	}
	got, err := b.machine.ReceiveSync(ctx, b.ticket, response)
	release()
	if err != nil {
		if notOfDesign(err) {
			return err
		}
		a.Troubles = append(a.Troubles, saidOf(err))
	}
	a.Synced = synced{got.Advanced, map[int]string{}}
	for _, r := range got.Refused {
		a.Synced.Refused[r.Index] = saidOf(r.Err)
	}
	return nil
}

// sharingRounds is how often a key is shared until that is done: once more than there
// are requests, of which each but a message waits for the server.
const sharingRounds = 3

// shareKey shares the room's key, and answers for the server that the messages with it
// are sent. What else is to be sent is the caller's to answer.
func (b *bob) shareKey(ctx context.Context, s sharing, a *answer) error {
	release, err := b.shared.Hold(ctx, design.Encrypting)
	if err != nil {
		return err
	}
	defer release()
	if err := b.shareKeyHeld(ctx, s, a); err != nil {
		if notOfDesign(err) {
			return err
		}
		a.Troubles = append(a.Troubles, saidOf(err))
	}
	return nil
}

func (b *bob) shareKeyHeld(ctx context.Context, s sharing, a *answer) error {
	if s.Rotate {
		if err := b.machine.RotateRoomKey(ctx, theRoom); err != nil {
			return err
		}
	}
	for range sharingRounds {
		made, err := b.machine.ShareRoomKey(ctx, theRoom, s.Members, pawl.RoomSettings{Messages: group.MaxMessages})
		if err != nil {
			return err
		}
		a.Shared, a.Requests = shared{made.Session, made.Done}, append(a.Requests, made.Requests...)
		if made.Done {
			return nil
		}
		waits := false
		for _, r := range made.Requests {
			if r.Kind != pawl.SendToDevice {
				waits = true
				continue
			}
			if err := b.machine.MarkSent(ctx, r.ID, []byte("{}")); err != nil {
				return err
			}
		}
		if waits {
			return nil
		}
	}
	return nil
}

// say encrypts a message of the room.
func (b *bob) say(ctx context.Context, s said, a *answer) error {
	release, err := b.shared.Hold(ctx, design.Encrypting)
	if err != nil {
		return err
	}
	defer release()
	content, err := b.machine.EncryptRoomEvent(ctx, theRoom, messageType, roomText(s.Number, b.opening.Size))
	switch {
	case err != nil && notOfDesign(err):
		return err
	case err != nil:
		a.Failed = append(a.Failed, failure{Number: s.Number, Error: saidOf(err)})
	default:
		a.Said = append(a.Said, said{s.Number, content})
	}
	return nil
}

// hear decrypts events of the room, one after the other.
func (b *bob) hear(ctx context.Context, events []heard, a *answer) error {
	release, err := b.shared.Hold(ctx, design.Decrypting)
	if err != nil {
		return err
	}
	defer release()
	for _, e := range events {
		got, err := b.machine.DecryptRoomEvent(ctx, pawl.RoomEvent{
			Room: theRoom, ID: matrix.EventID(fmt.Sprint("$", e.Number)), Sender: e.Sender, Content: e.Content,
		})
		switch {
		case err != nil && notOfDesign(err):
			return err
		case err != nil:
			a.Failed = append(a.Failed, failure{e.Number, e.Peer, saidOf(err)})
		case !bytes.Equal(got.Content, roomText(e.Number, b.opening.Size)):
			a.Failed = append(a.Failed, failure{e.Number, e.Peer, errOther.Error()})
		}
	}
	return nil
}

// requests asks what is to be sent.
func (b *bob) requests(ctx context.Context, a *answer) (err error) {
	release, err := b.shared.Hold(ctx, design.Decrypting)
	if err != nil {
		return err
	}
	defer release()
	a.Requests, err = b.machine.OutgoingRequests(ctx)
	if err != nil && !notOfDesign(err) {
		a.Troubles, err = append(a.Troubles, saidOf(err)), nil
	}
	return err
}

// answered applies what the server said to requests.
func (b *bob) answered(ctx context.Context, all []answered, a *answer) error {
	release, err := b.shared.Hold(ctx, design.Decrypting)
	if err != nil {
		return err
	}
	defer release()
	for _, s := range all {
		if s.Status == http.StatusOK {
			err = b.machine.MarkSent(ctx, s.Request, s.Body)
		} else {
			err = b.machine.MarkFailed(ctx, s.Request, pawl.Refused(s.Status, s.Body))
		}
		if err != nil && notOfDesign(err) {
			return err
		}
		if err != nil {
			a.Troubles = append(a.Troubles, saidOf(err))
		}
	}
	return nil
}
