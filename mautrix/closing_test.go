package pawlmautrix

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

// closingType is the type of to-device events at which the tests close a helper.
var closingType = event.Type{Type: "org.example.close", Class: event.ToDeviceEventType}

// closer is a transport that closes something when a sync brings such an event.
type closer struct{ close func() }

func (c *closer) RoundTrip(q *http.Request) (*http.Response, error) {
	a, err := http.DefaultTransport.RoundTrip(q)
	if err != nil || !strings.HasSuffix(q.URL.Path, "/sync") {
		return a, err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(body, []byte(closingType.Type)) {
		c.close()
	}
	a.Body = io.NopCloser(bytes.NewReader(body))
	return a, nil
}

// A helper that is closed while a response comes leaves what is in it to the next start:
// mautrix-go asks once more after it was stopped, and a server deletes what the token of
// that request covers.
func TestClosedWhileSyncing(t *testing.T) {
	for name, closes := range map[string]func(*program, func()){
		"as it comes": func(p *program, do func()) { p.client.Client = &http.Client{Transport: &closer{do}} },
		"as it is handed in": func(p *program, do func()) {
			p.client.Syncer.(*mautrix.DefaultSyncer).OnSync(func(_ context.Context, r *mautrix.RespSync, _ string) bool {
				for _, e := range r.ToDevice.Events {
					if e.Type.Type == closingType.Type {
						do()
					}
				}
				return true
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t)
			token, path := s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), stores["sqlite"])
			p := newProgram(t, s, alice, phone, token)
			h, err := NewCryptoHelper(p.client, []byte("secret"), path)
			if err != nil {
				t.Fatal(err)
			}
			closes(p, sync.OnceFunc(func() {
				if err := h.Close(); err != nil {
					t.Error(err)
				}
			}))
			p.start(h)
			peer := startMautrix(t, s, bob, "LAPTOP")
			if _, err := peer.client.SendToDevice(t.Context(), closingType, &mautrix.ReqSendToDevice{
				Messages: map[id.UserID]map[id.DeviceID]*event.Content{alice: {phone: {Raw: map[string]any{}}}},
			}); err != nil {
				t.Fatal(err)
			}
			if err := <-p.ended; err != nil && !errors.Is(err, kv.ErrClosed) {
				t.Errorf("syncing ended with %v, want nothing or kv.ErrClosed", err)
			}
			p.cancel = nil

			next, came := newProgram(t, s, alice, phone, token), make(chan struct{})
			h, err = NewCryptoHelper(next.client, []byte("secret"), path)
			if err != nil {
				t.Fatal(err)
			}
			next.client.Syncer.(*mautrix.DefaultSyncer).OnEventType(closingType, func(context.Context, *event.Event) { close(came) })
			next.start(h)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			select {
			case <-came:
			case <-ctx.Done():
				t.Error("the event never came: the server took it as received")
			}
		})
	}
}
