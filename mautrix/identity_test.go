package pawlmautrix

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/verificationhelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/matrix"
)

// user confirms whatever emoji are shown.
type user struct {
	vh    *verificationhelper.VerificationHelper
	shown chan []string
	done  chan error
}

func (u *user) VerificationRequested(context.Context, id.VerificationTransactionID, id.UserID, id.DeviceID) {
}

func (u *user) VerificationReady(ctx context.Context, txn id.VerificationTransactionID, _ id.DeviceID, _, _ bool, _ *verificationhelper.QRCode) {
	go func() {
		if err := u.vh.StartSAS(context.WithoutCancel(ctx), txn); err != nil {
			u.done <- err
		}
	}()
}

func (u *user) VerificationCancelled(_ context.Context, _ id.VerificationTransactionID, code event.VerificationCancelCode, reason string) {
	u.done <- errors.New(string(code) + ": " + reason)
}

func (u *user) VerificationDone(context.Context, id.VerificationTransactionID, event.VerificationMethod) {
	u.done <- nil
}

func (u *user) ShowSAS(ctx context.Context, txn id.VerificationTransactionID, _ []rune, names []string, _ []int) {
	go func() {
		u.shown <- names
		if err := u.vh.ConfirmSAS(context.WithoutCancel(ctx), txn); err != nil {
			u.done <- err
		}
	}()
}

// A client of matrix-sdk-crypto that shares with cross-signed devices only withholds its
// keys from the bot; gives them once the bot has signed itself with a recovery key, which
// a second process of it takes over; and is verified by emoji, which Pawl sees.
func TestIdentity(t *testing.T) {
	s := server(t)
	token, path := s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl")
	bot := startPawl(t, s, token, path)
	peer := startSDK(t, s, bob, "NODE")
	room, err := bot.client.CreateRoom(t.Context(), &mautrix.ReqCreateRoom{Preset: "private_chat", Invite: []id.UserID{bob},
		InitialState: []*event.Event{{Type: event.StateEncryption, Content: event.Content{Parsed: &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	settled := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := s.Settle(ctx, map[matrix.UserID]matrix.DeviceID{matrix.UserID(bob): "NODE"}); err != nil {
			t.Fatal(err)
		}
	}
	peer.do("join", map[string]any{"room": room.RoomID})
	bot.awaitEncrypted(room.RoomID)
	bot.say(room.RoomID, "hello") // so that Pawl follows bob
	peer.await("hello", func(said map[string]any) bool { return said["body"] == "hello" })
	peer.do("identify", nil)
	peer.do("strict", nil)
	settled()
	peer.do("send", map[string]any{"room": room.RoomID, "body": "before"})
	bot.await("a notice that the key is withheld", func(_ []*event.Event, failed []error) bool {
		return slices.ContainsFunc(failed, func(err error) bool {
			return errors.Is(err, &event.RoomKeyWithheldEventContent{Code: event.RoomKeyWithheldUnverified})
		})
	})

	olm := olmOf(bot)
	key, err := olm.GenerateAndVerifyWithRecoveryKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second := startPawl(t, s, token, path)
	if err := olmOf(second).VerifyWithRecoveryKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*program{"the first": bot, "the second": second} {
		if has, is, err := olmOf(m).GetOwnVerificationStatus(t.Context()); err != nil || !has || !is {
			t.Errorf("%s process: has keys %v, verified %v, %v", name, has, is, err)
		}
	}
	second.stop() // a to-device event is handed out by whichever process it comes to
	settled()
	peer.do("send", map[string]any{"room": room.RoomID, "body": "after"})
	bot.reads("after")

	u := &user{shown: make(chan []string, 1), done: make(chan error, 4)}
	u.vh = verificationhelper.NewVerificationHelper(bot.client, olm, nil, u, false, false, true)
	if err := u.vh.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The helper of mautrix-go drops an answer that comes before it has noted its request.
	peer.do("stop", nil)
	if _, err := u.vh.StartVerification(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	peer.do("start", nil)
	if err := <-u.done; err != nil {
		t.Fatal(err)
	}
	theirs := peer.await("emoji", func(said map[string]any) bool { return said["event"] == "emoji" })
	if shown := strings.Join(<-u.shown, " "); shown != theirs["body"] || len(strings.Fields(shown)) < 7 {
		t.Errorf("here are %s, there %s", shown, theirs["body"])
	}
	sees(t, startPawl(t, s, token, path).helper.(*CryptoHelper).machine, bob, "that bob is verified", func(u pawl.UserInfo) bool {
		return u.Verified && len(u.Devices) == 1 && u.Devices[0].Trust == device.Verified
	})
}
