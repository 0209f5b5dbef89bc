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
func (f *front) Fail(fault Fault) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.faults = append(f.faults, &fault)
}

// Heal removes all faults.
func (f *front) Heal() {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.faults = nil
}

// effect finds the fault that a request meets, and counts it.
func (f *front) effect(p *passing) Effect {
	f.lock.Lock()
	defer f.lock.Unlock()
	for _, x := range f.faults {
		if x.Endpoint != "" && x.Endpoint != p.endpoint || x.User != "" && x.User != p.user || x.Device != "" && x.Device != p.device {
			continue
		}
		x.met++
		if x.met > x.After && (x.Times == 0 || x.met <= x.After+x.Times) {
			return x.Do
		}
	}
	return Effect{}
}

// pause waits for what an effect waits for. It reports whether the client is still
// there, and the server.
func (e Effect) pause(ctx context.Context) bool {
	if e.Hold != nil {
		select {
		case <-e.Hold:
		case <-ctx.Done():
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
		return false
	}
}
