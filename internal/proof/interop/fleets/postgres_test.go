//go:build linux

package fleets

import (
	"testing"

	"github.com/pawlkv/pawl/internal/proof/fleet"
	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// placeOf is a host as a server's.
func placeOf(h *fleet.Host) pgtest.Place { return pgtest.Place{Start: h.Start, Address: h.Address} }

// urlAt leads to the server at an address.
func urlAt(address string) string {
	return "postgres://" + pgtest.Superuser + "@" + address + "/postgres?sslmode=disable"
}

// newPostgres is a site of one server, and what can happen to it.
func newPostgres(t *testing.T) *site {
	t.Helper()
	s := newSite(t, postgres)
	host := s.server("server")
	server := pgtest.StartAt(t, placeOf(host))
	s.commits = ".commit("
	s.open = func() (kv.Store, error) {
		return openReached(func() (kv.Store, error) {
			return openPostgres(processes.Setup{URL: server.URL(pgtest.Superuser, "postgres"), Dir: s.clients[0].dir})
		})
	}
	for i := range s.clients {
		s.clients[i].url = urlAt(s.reach(i, host, pgtest.Port))
	}
	s.faults = append(s.cuts(), s.late(),
		fault{name: "server killed", strike: func(*round) blow {
			server.Kill()
			return blow{heal: func() { server.Begin(t) }}
		}},
		fault{name: "server stopped", lasts: true, strike: func(*round) blow {
			server.Freeze()
			return blow{heal: server.Continue}
		}},
	)
	return s
}

// TestPostgres: whatever happens to a device's processes, their hosts, and the server.
func TestPostgres(t *testing.T) {
	t.Parallel()
	newPostgres(t).devices(interop.Others()[0])
}
