package badgerkv

import (
	"sync/atomic"
	"time"
)

// syncs counts what the committers of a store have synced.
type syncs struct{ calls, nanos atomic.Int64 }

func (s *syncs) add(began time.Time) {
	s.calls.Add(1)
	s.nanos.Add(int64(time.Since(began)))
}
