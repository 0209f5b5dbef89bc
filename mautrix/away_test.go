package pawlmautrix

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// absence is a store that answers nothing while it is away, as one whose owner is
// stopped, and counts what it was asked for then.
type absence struct {
	away    atomic.Bool
	refused atomic.Int64
}

func (a *absence) before(context.Context, faulty.Call) error {
	if !a.away.Load() {
		return nil
	}
	a.refused.Add(1)
	return kv.ErrUnavailable
}

// awaitRefused returns once a call has failed.
func (a *absence) awaitRefused(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); a.refused.Load() == 0; {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("nobody asked the store while it was away")
		}
	}
}

// A store that is away while an event is decrypted is waited for: the event does not come
// again. So is one that is away while a room key is waited for.
func TestStoreIsAwayWhileReading(t *testing.T) {
	s := server(t)
	var a absence
	store, err := pawl.Open(t.Context(), faulty.Wrap(memkv.New(), faulty.Hooks{Before: a.before}), pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	bot := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
	bot.client.StateStore = mautrix.NewMemoryStateStore()
	h, err := NewCryptoHelper(bot.client, []byte("not used"), store)
	if err != nil {
		t.Fatal(err)
	}
	h.DecryptErrorCallback = bot.undecryptable
	bot.start(h)
	peer := startMautrix(t, s, bob, "LAPTOP")
	room := makeRoom(t, bot, peer)

	var leaves atomic.Bool // between the commit of what a sync brought and its events
	bot.client.Syncer.(*mautrix.DefaultSyncer).OnEvent(func(_ context.Context, e *event.Event) {
		if e.Type == event.EventEncrypted && e.Sender == bob && leaves.Load() {
			a.away.Store(true)
		}
	})
	leaves.Store(true)
	said := peer.say(room, "while it is away")
	a.awaitRefused(t)
	leaves.Store(false)
	a.away.Store(false)
	var unread []error
	bot.await("what was said", func(read []*event.Event, failed []error) bool {
		unread = failed
		return len(read)+len(failed) > 0
	})
	if len(unread) > 0 {
		t.Fatalf("it could not be read: %v", unread)
	}

	session := sessionOf(t, bot, room, said)
	came := make(chan bool)
	a.refused.Store(0)
	a.away.Store(true)
	go func() { came <- h.WaitForSession(t.Context(), room, "", session, patience) }()
	a.awaitRefused(t)
	a.away.Store(false)
	if !<-came {
		t.Error("a key that is there was not waited for")
	}
}

// sessionOf is the session that an event was encrypted in.
func sessionOf(t *testing.T, p *program, room id.RoomID, name id.EventID) id.SessionID {
	t.Helper()
	e, err := p.client.GetEvent(t.Context(), room, name)
	if err == nil {
		err = e.Content.ParseRaw(event.EventEncrypted)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e.Content.AsEncrypted().SessionID
}
