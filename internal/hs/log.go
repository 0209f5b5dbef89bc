package hs

import (
	"slices"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// Exchange is a request and its answer.
type Exchange struct {
	Number   int       // from 1, in the order in which they were done
	Began    time.Time // when it was asked for
	At       time.Time // when there was an answer: a sync may wait for it for long
	Endpoint string
	Method   string
	Path     string // with the query
	User     matrix.UserID
	Device   matrix.DeviceID
	Request  []byte
	Status   int // 0: the connection ended before anything was done
	Answer   []byte
	Lost     bool // the answer did not go out
}

func (f *front) note(e Exchange) {
	f.lock.Lock()
	defer f.lock.Unlock()
	e.Number = len(f.log) + 1
	f.log = append(f.log, e)
}

// Exchanges returns what was asked and done so far, of some endpoints or of all,
// whether the answer is out or held up by a fault. Requests that wait for news are
// not in it.
func (f *front) Exchanges(endpoints ...string) []Exchange {
	f.lock.Lock()
	defer f.lock.Unlock()
	if len(endpoints) == 0 {
		return slices.Clone(f.log)
	}
	var some []Exchange
	for _, e := range f.log {
		if slices.Contains(endpoints, e.Endpoint) {
			some = append(some, e)
		}
	}
	return some
}
