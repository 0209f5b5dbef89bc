package pawlbridge

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"go.mau.fi/util/exhttp"
	"maunium.net/go/mautrix/crypto"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// open gives the world an open store whose commits fail while away says so.
func (w *world) openStore(away *atomic.Bool) *pawl.Store {
	w.Helper()
	engine := faulty.Wrap(memkv.New(), faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if away != nil && away.Load() && c.Op == faulty.Commit {
			return kv.ErrUnavailable
		}
		return nil
	}})
	store, err := pawl.Open(w.Context(), engine, pawl.WithKey([32]byte{1}))
	if err != nil {
		w.Fatal(err)
	}
	w.store = store
	return store
}

// stored is what the store says of the bridge's device.
func (b *bridge) stored(store *pawl.Store) pawl.Inspection {
	b.Helper()
	m, err := store.Machine(b.Context(), matrix.UserID(bridgeBot), matrix.DeviceID(b.connector.Crypto.Client().DeviceID))
	if err != nil {
		b.Fatal(err)
	}
	all, err := m.Inspect(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return all
}

// A transaction with a room key: from another than the homeserver it changes nothing; while
// the store is away it is refused, and not handed on; and when it comes again it changes
// nothing, and is not handled by mautrix-go's machine.
func TestBridgeTransactions(t *testing.T) {
	w := newWorld(t)
	var away atomic.Bool
	store := w.openStore(&away)
	w.s.Fail(hs.Fault{Endpoint: "sync", User: matrix.UserID(bridgeBot), Do: hs.Effect{Status: http.StatusInternalServerError}}) // what syncs bring is not looked at here
	b, p, room := w.with(nil)
	sent := b.event(room, p.say(room, "hello"))
	transaction, err := w.fake.Transaction(w.service)
	if err != nil {
		t.Fatal(err)
	}
	put := func(token string) error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.service.URL+transactionsPath+transaction.ID, strings.NewReader(string(transaction.Body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return errors.New(answer.Status)
		}
		return nil
	}
	before := b.stored(store)
	nothing := func(what, status string, err error) {
		t.Helper()
		if err == nil || !strings.HasPrefix(err.Error(), status) {
			t.Errorf("%s: %v, want %s", what, err, status)
		}
		if now := b.stored(store); !reflect.DeepEqual(now, before) {
			t.Errorf("%s: the store has %+v, and had %+v", what, now, before)
		}
		if _, err := b.connector.Crypto.Decrypt(t.Context(), sent); !away.Load() && !errors.Is(err, crypto.ErrNoSessionFound) {
			t.Errorf("%s: the event is %v", what, err)
		}
		if n := b.count("hello"); n != 0 {
			t.Errorf("%s: it was handed on", what)
		}
	}
	nothing("another's token", "401", put("another's"))
	away.Store(true)
	nothing("a store that is away", "503", put(w.service.ServerToken))
	away.Store(false)
	if err := put(w.service.ServerToken); err != nil {
		t.Fatal(err)
	}
	b.readable("it, once it was stored", room, sent.ID, true) // before the bridge has handled it
	b.reads("hello")
	p.awaits("the end of requests", func() bool { return len(b.stored(store).Requests) == 0 })
	after, asked := b.stored(store), len(w.s.Exchanges("keys/upload", "keys/claim", "sendToDevice"))
	for range 3 {
		if err := put(w.service.ServerToken); err != nil {
			t.Fatal(err)
		}
	}
	if now := b.stored(store); !reflect.DeepEqual(now, after) {
		t.Errorf("again: the store has %+v, and had %+v", now, after)
	}
	p.say(room, "more")
	b.reads("more")
	if n := b.count("hello"); n != 1 {
		t.Errorf("it was handed on %d times", n)
	}
	if n := len(w.s.Exchanges("keys/upload", "keys/claim", "sendToDevice")); n != asked {
		t.Errorf("%d requests more than before", n-asked)
	}
}

// A transaction that comes while the bridge starts waits for that.
func TestTransactionBeforeInit(t *testing.T) {
	w := newWorld(t)
	b := w.open()
	transaction, err := w.fake.Transaction(w.service)
	if err != nil {
		t.Fatal(err)
	}
	handler := exhttp.ApplyMiddleware(b.connector.AS.Router, b.connector.AS.Middleware...)
	status := make(chan int)
	go func() {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, transactionsPath+transaction.ID, strings.NewReader(string(transaction.Body)))
		r.Header.Set("Authorization", "Bearer "+w.service.ServerToken)
		a := httptest.NewRecorder()
		handler.ServeHTTP(a, r)
		status <- a.Code
	}()
	select {
	case got := <-status:
		t.Fatalf("before Init the answer is %d", got)
	default:
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-status; got != http.StatusOK {
		t.Errorf("the answer is %d", got)
	}
	b.stop()
	b.ended = true
}
