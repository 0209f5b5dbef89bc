package hs

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// to is a client that asks a server whatever the address is.
type to struct{ *Server }

func (s to) RoundTrip(r *http.Request) (*http.Response, error) {
	at, err := url.Parse(s.URL())
	if err != nil {
		return nil, err
	}
	r.URL.Host = at.Host
	return http.DefaultTransport.RoundTrip(r)
}

// before puts a proxy before the server of some clients.
func before(t *testing.T, all ...*client) *Proxy {
	t.Helper()
	p, err := StartProxy(&http.Client{Transport: to{all[0].server}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	for _, c := range all {
		c.proxy = p
		p.Learn(c.token, c.user, c.device)
	}
	return p
}

// TestProxyKnowsWhoAsks: also who has logged in through it, and nobody else.
func TestProxyKnowsWhoAsks(t *testing.T) {
	s := started(t, alice)
	a := s.client(t, alice, "A")
	p := before(t, a)
	in := a.must("POST", base+"login", object{"type": "m.login.password", "identifier": object{"user": "alice"}, "password": "secret", "device_id": "B"})
	if got := p.Token(alice, "B"); got == "" || got != in["access_token"] {
		t.Errorf("the token of who logged in is %q, want %q", got, in["access_token"])
	}
	a.token = in["access_token"].(string)
	a.must("GET", base+"account/whoami", nil)
	a.token = "unknown"
	a.expect(http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "GET", base+"account/whoami", nil)
	log := p.Exchanges("whoami")
	if len(log) != 2 || log[0].Device != "B" || log[1].Device != "" || log[1].User != "" || log[1].Status != http.StatusUnauthorized {
		t.Errorf("the log is %+v", log)
	}
}

// TestProxyWithoutServer: a request that nobody answers is in the log, as one that may
// have arrived.
func TestProxyWithoutServer(t *testing.T) {
	s := started(t, alice)
	a := s.client(t, alice, "A")
	p := before(t, a)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if status, o := a.ask("GET", base+"account/whoami", nil); status != 0 {
		t.Errorf("a server that is gone answers %d %v", status, o)
	}
	if log := p.Exchanges(); len(log) != 1 || !log[0].Lost || log[0].Status != 0 {
		t.Errorf("the log is %+v", log)
	}
}

// TestExchangesAreTimed: what an answer says is known from the answer on, however long
// before that it was asked for.
func TestExchangesAreTimed(t *testing.T) {
	var f front
	var done time.Time
	f.pass(httptest.NewRecorder(), &passing{Request: httptest.NewRequest("GET", base+"sync", nil), do: func() (int, []byte) {
		done = time.Now()
		return http.StatusOK, nil
	}})
	if e := f.Exchanges()[0]; e.Began.After(done) || e.At.Before(done) {
		t.Errorf("what was done at %v began at %v, and was answered at %v", done, e.Began, e.At)
	}
}

// TestProxySettles: as long as there is news for a device, or it does not wait for any,
// or something is under way, its client has not settled.
func TestProxySettles(t *testing.T) {
	s := started(t, alice, bob)
	a, b := s.client(t, alice, "A"), s.client(t, bob, "B")
	p := before(t, a, b)
	of := map[matrix.UserID]matrix.DeviceID{alice: "A"}
	settled := func() bool { return p.settled(t.Context(), of) }
	if settled() {
		t.Error("it has settled, and has never asked")
	}
	token := next(a.sync(""))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		r, _ := http.NewRequestWithContext(ctx, "GET", p.URL()+base+"sync?timeout=30000&since="+token, nil)
		r.Header.Set("Authorization", "Bearer "+a.token)
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			answer.Body.Close()
		}
	}()
	wait, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	if err := p.Settle(wait, of); err != nil {
		t.Fatalf("it waits for news, and has not settled: %v", err)
	}
	b.must("PUT", base+"sendToDevice/m.dummy/1", object{"messages": object{string(alice): object{"A": object{}}}})
	if settled() {
		t.Error("there is news, and it has settled")
	}
	cancel()
	if settled() {
		t.Error("it does not wait, and has settled")
	}
}

// TestToldIsWhatClientsProcess: of a response, what keeps a client from having settled.
func TestToldIsWhatClientsProcess(t *testing.T) {
	for response, want := range map[string]bool{
		`{"next_batch":"1","device_one_time_keys_count":{"signed_curve25519":50},"account_data":{"events":[]}}`: false,
		`{"to_device":{"events":[]},"device_lists":{"changed":[],"left":[]},"rooms":{"join":{}}}`:               false,
		`{"to_device":{"events":[{}]}}`:       true,
		`{"device_lists":{"left":["@a:b"]}}`:  true,
		`{"rooms":{"invite":{"!r":{}}}}`:      true,
		`not JSON, as servers say that break`: true,
	} {
		if got := told([]byte(response)); got != want {
			t.Errorf("%s: %v, want %v", response, got, want)
		}
	}
}
