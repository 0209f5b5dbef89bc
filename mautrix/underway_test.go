package pawlmautrix

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// silent is a transport that gets no answer to requests of a path, and tells when one is sent.
type silent struct {
	path string
	sent chan struct{}
}

func (s *silent) RoundTrip(q *http.Request) (*http.Response, error) {
	if !strings.Contains(q.URL.Path, s.path) {
		return http.DefaultTransport.RoundTrip(q)
	}
	select {
	case s.sent <- struct{}{}:
	default:
	}
	<-q.Context().Done()
	return nil, q.Context().Err()
}

// ends fails if what gives a value by a channel goes on.
func ends[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case v = <-from:
	case <-ctx.Done():
		t.Fatalf("%s goes on", what)
	}
	return v
}

// begun does something by itself.
func begun[T any](do func() T) <-chan T {
	to := make(chan T, 1)
	go func() { to <- do() }()
	return to
}

// Close ends what is under way, also where the store stays open and the server does not
// answer.
func TestClosedUnderWay(t *testing.T) {
	for _, path := range []string{"/members", "/keys/query", "/keys/claim", "/sendToDevice/"} {
		t.Run(path[1:], func(t *testing.T) {
			s := server(t)
			engine := memkv.New()
			store, err := pawl.Open(t.Context(), engine, pawl.WithKey([32]byte{1}))
			if err != nil {
				t.Fatal(err)
			}
			p := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
			p.client.StateStore = mautrix.NewMemoryStateStore()
			h, err := NewCryptoHelper(p.client, []byte("not used"), store)
			if err != nil {
				t.Fatal(err)
			}
			p.start(h)
			peer := startMautrix(t, s, bob, "LAPTOP")
			room := makeRoom(t, p, peer)
			p.cancel()
			<-p.ended
			p.cancel = nil
			silence := &silent{path, make(chan struct{}, 1)}
			p.client.Client = &http.Client{Transport: silence}
			ctx := context.WithoutCancel(t.Context())
			encrypted := begun(func() error {
				_, err := h.Encrypt(ctx, room, event.EventMessage, map[string]any{})
				return err
			})
			waited := begun(func() bool { return h.WaitForSession(ctx, room, "", id.SessionID(strings.Repeat("A", 43)), patience) })
			ends(t, "Encrypt before it asks", silence.sent)
			if err := ends(t, "Close", begun(h.Close)); err != nil {
				t.Error(err)
			}
			if err := ends(t, "Encrypt", encrypted); !errors.Is(err, kv.ErrClosed) {
				t.Errorf("Encrypt = %v, want kv.ErrClosed", err)
			}
			if ends(t, "WaitForSession", waited) {
				t.Error("a key was waited for that nobody has")
			}
			if err := h.ReceiveTransaction(t.Context(), "one", []byte(`{"events":[]}`)); !errors.Is(err, kv.ErrClosed) {
				t.Errorf("ReceiveTransaction = %v, want kv.ErrClosed", err)
			}
		})
	}
}

// While Init waits for the server nobody else waits for Init, and Close ends it.
func TestInitUnderWay(t *testing.T) {
	s := server(t)
	p := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
	silence := &silent{"/keys/", make(chan struct{}, 1)}
	p.client.Client = &http.Client{Transport: silence}
	h, err := NewCryptoHelper(p.client, []byte("secret"), at(t.TempDir(), "bot.pawl"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	began := begun(func() error { return h.Init(ctx) })
	ends(t, "Init before it asks", silence.sent)
	err = ends(t, "Encrypt", begun(func() error {
		_, err := h.Encrypt(ctx, "!r:example.org", event.EventMessage, map[string]any{})
		return err
	}))
	if !errors.Is(err, ErrNotReady) {
		t.Errorf("Encrypt = %v, want ErrNotReady", err)
	}
	if ends(t, "Machine", begun(h.Machine)) != nil {
		t.Error("there is a machine")
	}
	if err := ends(t, "Close", begun(h.Close)); err != nil {
		t.Error(err)
	}
	if err := ends(t, "Init", began); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Init = %v, want kv.ErrClosed", err)
	}
}
