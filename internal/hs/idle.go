package hs

import (
	"context"

	"github.com/pawlkv/pawl/matrix"
)

// waits notes that a device has been told all there is, and waits for more. The
// caller holds the lock.
func (s *Server) waits(d *device) {
	d.idle = s.position
	close(s.idled)
	s.idled = make(chan struct{})
}

// Settle waits until devices have asked again after all that happened so far, which
// clients do once they have processed it. Errors: ctx's.
func (s *Server) Settle(ctx context.Context, of map[matrix.UserID]matrix.DeviceID) error {
	for {
		s.mu.Lock()
		settled, idled := true, s.idled
		for id, device := range of {
			d := s.find(id, device)
			settled = settled && (d == nil || d.idle == s.position)
		}
		s.mu.Unlock()
		if settled {
			return nil
		}
		select {
		case <-idled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
