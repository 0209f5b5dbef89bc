package hs

import (
	"net/http"
	"sync"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// front is what all requests pass on their way to a homeserver: the faults, and the
// log.
type front struct {
	lock   sync.Mutex // guards all below
	faults []*Fault
	log    []Exchange
}

// passing is a request on its way.
type passing struct {
	*http.Request
	endpoint string
	user     matrix.UserID // "": nobody has logged in with its token
	device   matrix.DeviceID
	body     []byte
	do       func() (status int, answer []byte) // what it asks for; status 0: there is no answer
}

// pass has a request done and answers it, unless a fault is in the way.
func (f *front) pass(w http.ResponseWriter, p *passing) {
	effect := f.effect(p)
	e := Exchange{
		Began: time.Now(), Endpoint: p.endpoint, Method: p.Method, Path: p.URL.RequestURI(),
		User: p.user, Device: p.device, Request: p.body,
	}
	switch {
	case effect.Drop:
	case effect.Status != 0:
		e.Status, e.Answer = (&problem{effect.Status, effect.code(), "a fault of the script", effect.Retry}).answer()
	default:
		e.Status, e.Answer = p.do()
	}
	e.At = time.Now()
	e.Lost = effect.lost() || e.Status == 0
	f.note(e)
	if !effect.pause(p.Context()) || e.Lost {
		cut(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	_, _ = w.Write(e.Answer) // a client that is gone has lost it
}

// cut ends the connection, so that the client learns nothing.
func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}
