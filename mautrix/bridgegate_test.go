package pawlmautrix

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
)

// gate stands between a homeserver and a bridge. What comes while the bridge is away
// waits; a bridge that is killed within a request has answered nothing. All transactions
// are noted.
type gate struct {
	*httptest.Server
	bridge *http.Client

	mu       sync.Mutex
	came     map[string]*event.Event // events of rooms, as they came last
	answered map[string]int          // of those in a transaction that was answered with 200, in which life
	life     int                     // how often the bridge was started
	statuses map[int]int             // answers to transactions; 0: none
	strike   func()                  // is called within the next transaction
	refuse   bool                    // the next transaction is refused
	seen     func(*event.Event)      // is called with each event that comes first
	passed   func()                  // is called after each transaction
}

// startGate lets requests through to who listens at a socket.
func startGate(t *testing.T, socket string, seen func(*event.Event), passed func()) *gate {
	g := &gate{came: map[string]*event.Event{}, answered: map[string]int{}, statuses: map[int]int{}, seen: seen, passed: passed}
	g.bridge = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // a request goes to the bridge that is there now
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			for tick := time.NewTicker(10 * time.Millisecond); ; {
				conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
				if err == nil || ctx.Err() != nil {
					tick.Stop()
					return conn, err
				}
				<-tick.C
			}
		},
	}}
	g.Server = httptest.NewServer(http.HandlerFunc(g.pass))
	t.Cleanup(g.Close)
	return g
}

func (g *gate) pass(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the homeserver is gone
	}
	if !strings.Contains(r.URL.Path, "/transactions/") {
		status, answer, err := g.forward(r, body)
		reply(w, status, answer, err)
		return
	}
	var transaction struct{ Events []*event.Event }
	if err := json.Unmarshal(body, &transaction); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	g.note(transaction.Events)
	status, answer, err := http.StatusServiceUnavailable, []byte("{}"), error(nil)
	if !g.isRefused() {
		status, answer, err = g.forward(r, body)
	}
	if err != nil {
		status = 0
	}
	g.mu.Lock()
	g.statuses[status]++
	for _, e := range transaction.Events {
		if _, known := g.answered[e.ID.String()]; !known && status == http.StatusOK {
			g.answered[e.ID.String()] = g.life
		}
	}
	g.mu.Unlock()
	reply(w, status, answer, err)
	g.passed()
}

// begins says that another bridge starts.
func (g *gate) begins(life int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.life = life
}

// strikes has something done when the bridge gets its next transaction.
func (g *gate) strikes(strike func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.strike = strike
}

// refuses has the next transaction refused, and not handed on.
func (g *gate) refuses() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse = true
}

func (g *gate) isRefused() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	refuse := g.refuse
	g.refuse = false
	return refuse
}

// note tells of events that come first.
func (g *gate) note(events []*event.Event) {
	for _, e := range events {
		g.mu.Lock()
		first := g.came[e.ID.String()] == nil
		g.came[e.ID.String()] = e
		g.mu.Unlock()
		if first {
			g.seen(e)
		}
	}
}

// unanswered are those of some events that were in no transaction that was answered.
func (g *gate) unanswered(events []string) (left []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range events {
		if _, is := g.answered[e]; !is {
			left = append(left, e)
		}
	}
	return left
}

// forward asks the bridge, which may be struck as soon as it has a transaction.
func (g *gate) forward(r *http.Request, body []byte) (status int, answer []byte, err error) {
	ctx := r.Context()
	if strings.Contains(r.URL.Path, "/transactions/") {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { g.hit() }})
	}
	q, err := http.NewRequestWithContext(ctx, r.Method, "http://bridge"+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	q.GetBody = nil // the homeserver asks again, and nobody else
	q.Header = r.Header.Clone()
	a, err := g.bridge.Do(q)
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	answer, err = io.ReadAll(a.Body)
	return a.StatusCode, answer, err
}

func (g *gate) hit() {
	g.mu.Lock()
	strike := g.strike
	g.strike = nil
	g.mu.Unlock()
	if strike != nil {
		go strike()
	}
}

// reply passes an answer on, or ends the connection if there is none.
func reply(w http.ResponseWriter, status int, answer []byte, err error) {
	if err != nil {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}
