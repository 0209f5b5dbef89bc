package pawlmautrix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/matrix"
)

// What the test tells the processes that it starts.
const (
	envURL   = "PAWL_TEST_URL"
	envToken = "PAWL_TEST_TOKEN"
	envStore = "PAWL_TEST_STORE"
	envDeath = "PAWL_TEST_DEATH" // at this point, counted from 0; negative: at none
)

func TestMain(m *testing.M) {
	if os.Getenv(envURL) == "" {
		os.Exit(m.Run())
	}
	if err := receiverProcess(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// mortal kills its process at a point.
type mortal struct{ points, death atomic.Int64 }

func (m *mortal) point() {
	if m.points.Add(1)-1 != m.death.Load() {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	panic(fmt.Sprint("it lives: ", err))
}

// receiverProcess is a program that syncs until there is nothing more, and prints which
// events it has handled. It dies at a point before or after a commit or an event.
func receiverProcess() error {
	var m mortal
	var at int64
	if _, err := fmt.Sscan(os.Getenv(envDeath), &at); err != nil {
		return err
	}
	m.death.Store(-1)
	engine, err := sqlitekv.Open(os.Getenv(envStore))
	if err != nil {
		return err
	}
	defer engine.Close()
	store, err := pawl.Open(context.Background(), faulty.Wrap(engine, faulty.Hooks{
		Before: func(_ context.Context, c faulty.Call) error {
			if c.Op == faulty.Commit {
				m.point()
			}
			return nil
		},
		After: func(_ context.Context, c faulty.Call, err error) error {
			if c.Op == faulty.Commit {
				m.point()
			}
			return err
		},
	}), pawl.WithKey([32]byte{1}))
	if err != nil {
		return err
	}
	c, err := mautrix.NewClient(os.Getenv(envURL), alice, os.Getenv(envToken))
	if err != nil {
		return err
	}
	c.DeviceID, c.Log, c.StateStore = phone, zerolog.New(io.Discard), mautrix.NewMemoryStateStore()
	c.Syncer.(*mautrix.DefaultSyncer).OnEvent(func(_ context.Context, e *event.Event) {
		switch e.Mautrix.EventSource {
		case event.SourceToDevice:
			m.point()
			fmt.Println("handled", e.Content.Raw["n"])
			m.point()
		case event.SourceJoin | event.SourceTimeline:
			if e.Type == event.EventEncrypted {
				fmt.Println("room", e.ID)
			}
		}
	})
	h, err := NewCryptoHelper(c, []byte("not used"), store)
	if err != nil {
		return err
	}
	if err := h.Init(context.Background()); err != nil {
		return err
	}
	defer h.Close()
	m.death.Store(at)
	m.points.Store(0)
	return syncToEnd(c)
}

// syncToEnd is the client's loop until a response has no to-device events.
func syncToEnd(c *mautrix.Client) error {
	ctx := context.Background()
	since, err := c.Store.LoadNextBatch(ctx, alice)
	for n := 1; err == nil && n > 0; {
		var response *mautrix.RespSync
		if response, err = c.FullSyncRequest(ctx, mautrix.ReqSync{Since: since}); err != nil {
			break
		}
		n = len(response.ToDevice.Events)
		if err = c.Store.SaveNextBatch(ctx, alice, response.NextBatch); err == nil {
			err = c.Syncer.ProcessResponse(ctx, response, since)
		}
		since = response.NextBatch
	}
	return err
}

// What is not Pawl's in a response, plain and encrypted, is handed out by some process,
// in order, wherever one is killed: before or after any commit, and before and after any
// event. And what comes of rooms is handed out once, or was lost with the process.
func TestKilledWhileHandingOut(t *testing.T) {
	s := server(t)
	token := s.Login(matrix.UserID(alice), matrix.DeviceID(phone))
	store := filepath.Join(t.TempDir(), "store")
	process := func(death int) (handled, rooms []string, died bool) {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), envURL+"="+s.URL(), envToken+"="+token, envStore+"="+store, fmt.Sprint(envDeath, "=", death))
		var problems strings.Builder
		cmd.Stderr = &problems
		out, err := cmd.Output()
		var exit *exec.ExitError
		if died = errors.As(err, &exit) && exit.ExitCode() == -1; err != nil && !died {
			t.Fatal(err, problems.String())
		}
		for line := range strings.Lines(string(out)) {
			if n, ok := strings.CutPrefix(line, "handled "); ok {
				handled = append(handled, strings.TrimSpace(n))
			}
			if n, ok := strings.CutPrefix(line, "room "); ok {
				rooms = append(rooms, strings.TrimSpace(n))
			}
		}
		return handled, rooms, died
	}
	process(-1)
	peer := startMautrix(t, s, bob, "LAPTOP")
	olm := peer.helper.(*cryptohelper.CryptoHelper).Machine()
	device, err := olm.GetOrFetchDevice(t.Context(), alice, phone)
	if err != nil {
		t.Fatal(err)
	}
	made, err := peer.client.CreateRoom(t.Context(), &mautrix.ReqCreateRoom{Preset: "private_chat", Invite: []id.UserID{alice}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := join(t, s, token, made.RoomID); err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() {
		step = 5
	}
	n := 0
	for death := 0; ; death += step {
		var want, got, rooms []string
		for i := range 4 {
			content := event.Content{Raw: map[string]any{"n": fmt.Sprint(n)}}
			if i%2 == 0 {
				_, err = peer.client.SendToDevice(t.Context(), event.Type{Type: "org.example.plain", Class: event.ToDeviceEventType}, &mautrix.ReqSendToDevice{
					Messages: map[id.UserID]map[id.DeviceID]*event.Content{alice: {phone: &content}},
				})
			} else {
				err = olm.SendEncryptedToDevice(t.Context(), device, event.Type{Type: "org.example.encrypted", Class: event.ToDeviceEventType}, content)
			}
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprint(n))
			n++
		}
		if _, err := peer.client.SendMessageEvent(t.Context(), made.RoomID, event.EventEncrypted, map[string]any{"algorithm": "m.megolm.v1.aes-sha2"}); err != nil {
			t.Fatal(err)
		}
		first, of, died := process(death)
		second, more, _ := process(-1)
		got, rooms = append(first, second...), append(of, more...)
		if !slices.IsSortedFunc(first, byNumber) || !slices.IsSortedFunc(second, byNumber) {
			t.Errorf("death %d: handled out of order: %q, then %q", death, first, second)
		}
		for _, e := range want {
			if !slices.Contains(got, e) {
				t.Errorf("death %d: event %s was handled by nobody: %q, then %q", death, e, first, second)
			}
		}
		if len(rooms) > 1 {
			t.Errorf("death %d: the message was handed out %d times", death, len(rooms))
		}
		if !died {
			if death < 10 || len(first) != len(want) || len(second) > 0 {
				t.Errorf("a process that lived through %d points handled %q, and the next %q", death, first, second)
			}
			t.Log(death, "points")
			return
		}
	}
}

func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// join lets the tested device's user join a room.
func join(t *testing.T, s hs.Homeserver, token string, room id.RoomID) (*mautrix.RespJoinRoom, error) {
	t.Helper()
	c, err := mautrix.NewClient(s.URL(), alice, token)
	if err != nil {
		return nil, err
	}
	return c.JoinRoomByID(t.Context(), room)
}

// A listener that panics ends the syncing, as it does with mautrix-go. The other events
// are handled, and none comes again: one that makes listeners panic must not do so for
// ever.
func TestListenerPanics(t *testing.T) {
	s := server(t)
	token := s.Login(matrix.UserID(alice), matrix.DeviceID(phone))
	path := at(t.TempDir(), "bot.pawl")
	var got []string
	begin := func() *stepper {
		p := newStepper(t, s, token, path)
		p.client.Syncer.(*mautrix.DefaultSyncer).OnEvent(func(_ context.Context, e *event.Event) {
			if e.Mautrix.EventSource != event.SourceToDevice {
				return
			}
			got = append(got, e.Type.Type)
			if e.Type.Type == "org.example.two" {
				panic("on purpose")
			}
		})
		return p
	}
	p := begin()
	peer := startMautrix(t, s, bob, "LAPTOP")
	for _, kind := range []string{"org.example.one", "org.example.two", "org.example.three"} {
		if _, err := peer.client.SendToDevice(t.Context(), event.Type{Type: kind, Class: event.ToDeviceEventType}, &mautrix.ReqSendToDevice{
			Messages: map[id.UserID]map[id.DeviceID]*event.Content{alice: {phone: {Raw: map[string]any{}}}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	response, err := p.client.FullSyncRequest(t.Context(), mautrix.ReqSync{Since: p.next})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.client.Syncer.ProcessResponse(t.Context(), response, p.next); err == nil || !strings.Contains(err.Error(), "on purpose") {
		t.Errorf("syncing did not end: %v", err)
	}
	want := []string{"org.example.one", "org.example.two", "org.example.three"}
	p.stop()
	begin().step()
	if !slices.Equal(got, want) {
		t.Errorf("the listener got %q, want %q", got, want)
	}
}
