package hs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// Proxy stands before another homeserver: it makes faults, and has a log. Requests and
// answers go through as they are.
type Proxy struct {
	front
	behind   *http.Client
	url      string
	listener *http.Server
	end      context.CancelFunc

	mu      sync.Mutex
	tokens  map[string]owner
	latest  map[owner]string         // the last token of each
	waiting map[*http.Request]string // syncs that wait for news: their tokens
	busy    int                      // other requests under way
}

// owner is who has logged in with a token.
type owner struct {
	user   matrix.UserID
	device matrix.DeviceID
}

// StartProxy listens on a free port of this machine. The homeserver is asked by a
// client that connects to it whatever the address is.
func StartProxy(behind *http.Client) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("hs: %w", err)
	}
	running, end := context.WithCancel(context.Background())
	p := &Proxy{behind: behind, url: "http://" + l.Addr().String(), end: end, tokens: map[string]owner{}, latest: map[owner]string{}, waiting: map[*http.Request]string{}}
	p.listener = &http.Server{Handler: routes(p.handle), ReadHeaderTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return running }}
	go func() { _ = p.listener.Serve(l) }() // it ends with Close
	return p, nil
}

// URL is where clients find the homeserver.
func (p *Proxy) URL() string { return p.url }

// Close ends every request that is under way.
func (p *Proxy) Close() error {
	p.end()
	return p.listener.Close()
}

// Learn tells the proxy who has logged in without it.
func (p *Proxy) Learn(token string, user matrix.UserID, device matrix.DeviceID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens[token], p.latest[owner{user, device}] = owner{user, device}, token
}

// Token is the one that a device has logged in with last.
func (p *Proxy) Token(user matrix.UserID, device matrix.DeviceID) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest[owner{user, device}]
}

func (p *Proxy) owner(r *http.Request) owner {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tokens[bearer(r)]
}

// bearer is the access token of a request.
func bearer(r *http.Request) string {
	if token, in := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); in {
		return token
	}
	return r.URL.Query().Get("access_token")
}

func (p *Proxy) handle(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return // the client is gone, or far too large
		}
		by := p.owner(r)
		p.pass(w, &passing{r, e.name, by.user, by.device, body, func() (int, []byte) {
			defer p.counted(r, e.name)()
			ctx := r.Context()
			if e.name != "sync" {
				ctx = context.WithoutCancel(ctx) // it is done, whether the client lives or not
			}
			status, answer := p.forward(ctx, r, r.URL.RequestURI(), body)
			if e.name == "login" && status == http.StatusOK {
				p.loggedIn(answer)
			}
			return status, answer
		}})
	}
}

// counted notes that a request is under way, until what it returns is called.
func (p *Proxy) counted(r *http.Request, endpoint string) func() {
	since := r.URL.Query().Get("since")
	p.mu.Lock()
	defer p.mu.Unlock()
	if endpoint == "sync" {
		p.waiting[r] = since
	} else {
		p.busy++
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if endpoint != "sync" {
			p.busy--
		}
		delete(p.waiting, r)
	}
}

// forward asks the homeserver. Status 0 is no answer: it is down, or ctx has ended.
func (p *Proxy) forward(ctx context.Context, r *http.Request, uri string, body []byte) (int, []byte) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, r.Method, "http://homeserver"+uri, bytes.NewReader(body))
	if err != nil {
		return 0, nil
	}
	q.Header = r.Header.Clone()
	q.Header.Del("Accept-Encoding")              // the log is to be read
	q.Header.Set("X-Forwarded-For", "127.0.0.1") // behind a socket it has no other address
	q.Header.Set("X-Forwarded-Proto", "http")
	answer, err := p.behind.Do(q)
	if err != nil {
		return 0, nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, nil
	}
	return answer.StatusCode, text
}

func (p *Proxy) loggedIn(answer []byte) {
	var a struct {
		User   matrix.UserID   `json:"user_id"`
		Device matrix.DeviceID `json:"device_id"`
		Token  string          `json:"access_token"`
	}
	if json.Unmarshal(answer, &a) == nil && a.Token != "" {
		p.Learn(a.Token, a.User, a.Device)
	}
}
