package hs

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// probes is how often a homeserver is asked whether a device has all there is.
const probes = 50 * time.Millisecond

// Settle waits until devices have asked again after all that happened so far, which
// clients do once they have processed it: each waits for news, and there are none.
// Errors: ctx's.
func (p *Proxy) Settle(ctx context.Context, of map[matrix.UserID]matrix.DeviceID) error {
	tick := time.NewTicker(probes)
	defer tick.Stop()
	for !p.settled(ctx, of) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (p *Proxy) settled(ctx context.Context, of map[matrix.UserID]matrix.DeviceID) bool {
	var waits []*http.Request
	for user, device := range of {
		r := p.waits(owner{user, device})
		if r == nil || p.news(ctx, r) {
			return false
		}
		waits = append(waits, r)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range waits {
		if _, still := p.waiting[r]; !still {
			return false
		}
	}
	return p.busy == 0
}

// waits is a request of a device that waits for news.
func (p *Proxy) waits(of owner) *http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	for r, since := range p.waiting {
		if since != "" && p.tokens[bearer(r)] == of {
			return r
		}
	}
	return nil
}

// news asks what a request waits for, from where it does: that changes nothing.
func (p *Proxy) news(ctx context.Context, r *http.Request) bool {
	query := r.URL.Query()
	query.Set("timeout", "0")
	status, answer := p.forward(ctx, r, r.URL.Path+"?"+query.Encode(), nil)
	return status != http.StatusOK || told(answer)
}

// told reports whether a response of a sync has anything that a client's encryption
// is about.
func told(response []byte) bool {
	var s struct {
		Rooms    map[string]map[string]json.RawMessage
		ToDevice struct{ Events []json.RawMessage } `json:"to_device"`
		Lists    map[string][]string                `json:"device_lists"`
	}
	if json.Unmarshal(response, &s) != nil {
		return true
	}
	n := len(s.ToDevice.Events)
	for _, rooms := range s.Rooms {
		n += len(rooms)
	}
	for _, users := range s.Lists {
		n += len(users)
	}
	return n > 0
}
