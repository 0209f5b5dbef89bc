package hs

import (
	"context"
	"net/http"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// Fault is something that goes wrong with requests. Those that were added first
// are looked at first, and one request meets one fault.
type Fault struct {
	Endpoint string          // "keys/upload", see [Endpoints]; "": any
	User     matrix.UserID   // "": anybody's
	Device   matrix.DeviceID // "": any
	After    int             // so many matching requests pass before
	Times    int             // so many are met then; 0: all that come
	Do       Effect
	met      int
}

// Effect is what happens to a request.
type Effect struct {
	Status int           // answered with it, and not done
	Code   string        // errcode that goes with Status
	Retry  time.Duration // retry_after_ms that goes with 429
	Delay  time.Duration // the answer waits that long
	Lose   bool          // done, and the connection ends without the answer
	Drop   bool          // not done, and the connection ends
	// Hold, if it is there, is waited for before the answer goes out.
	Hold <-chan struct{}
}

// The effects that scripts use most.
var (
	Lose    = Effect{Lose: true}
	Drop    = Effect{Drop: true}
	Gateway = Effect{Status: http.StatusGatewayTimeout, Code: "M_UNKNOWN"}
)

// Limit is the answer of a server that was asked too often.
func Limit(retry time.Duration) Effect {
	return Effect{Status: http.StatusTooManyRequests, Code: "M_LIMIT_EXCEEDED", Retry: retry}
}

func (e Effect) lost() bool { return e.Lose || e.Drop }

func (e Effect) code() string {
	if e.Code == "" {
		return "M_UNKNOWN"
	}
	return e.Code
}

// Fail adds a fault.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal removes all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// effect finds the fault that a request meets, and counts it.
func (s *Server) effect(c *call) Effect {
	s.mu.Lock()
	defer s.mu.Unlock()
	user, device := c.names()
	for _, f := range s.faults {
		if f.Endpoint != "" && f.Endpoint != c.endpoint || f.User != "" && f.User != user || f.Device != "" && f.Device != device {
			continue
		}
		f.met++
		if f.met > f.After && (f.Times == 0 || f.met <= f.After+f.Times) {
			return f.Do
		}
	}
	return Effect{}
}

// pause waits for what an effect waits for. It reports whether the client is
// still there.
func (s *Server) pause(ctx context.Context, e Effect) bool {
	s.mu.Lock()
	running := s.running
	s.mu.Unlock()
	if e.Hold != nil {
		select {
		case <-e.Hold:
		case <-ctx.Done():
			return false
		case <-running.Done():
			return false
		}
	}
	if e.Delay <= 0 {
		return true
	}
	timer := time.NewTimer(e.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-running.Done():
	}
	return false
}
