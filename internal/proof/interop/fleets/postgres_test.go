//go:build linux

package fleets

import (
	"testing"
	"time"

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
	place := placeOf(host)
	disk, mounted := mount(t, postgresRoom)
	place.Dir = disk
	clock := newClock(t)
	if clock != nil {
		place.Env = clock.env()
	}
	server := pgtest.StartAt(t, place, "max_wal_size=48MB", "min_wal_size=32MB")
	poolers := s.server("pooler")
	pooler := server.PoolAt(t, placeOf(poolers), 8)
	s.commits = ".commit("
	s.open = func() (kv.Store, error) {
		return openReached(func() (kv.Store, error) {
			return openPostgres(processes.Setup{URL: server.URL(pgtest.Superuser, "postgres"), Dir: s.clients[0].dir})
		})
	}
	port := pgtest.Port
	for i := range s.clients {
		if i == len(s.clients)-1 {
			host, port = poolers, pgtest.PoolerPort
		}
		s.clients[i].url = urlAt(s.reach(i, host, port))
	}
	up := func() {
		if !server.Runs() {
			server.Begin(t)
		}
	}
	if mounted { // first: nothing else keeps processes from hearing of it, and it is healed first
		s.excuses = append(s.excuses, kv.ErrDiskFull)
		s.faults = append(s.faults, s.fullDisk("disk full", disk, server, up, func() { server.Recover(t) }))
	}
	if clock != nil {
		s.faults = append(s.faults, s.clockSet(server, clock, time.Hour), s.clockSet(server, clock, -time.Hour))
	}
	s.faults = append(s.faults, append(s.cuts(), s.late(),
		fault{name: "server killed", strike: func(*round) blow {
			if server.Runs() {
				server.Kill()
			}
			return blow{heal: up}
		}},
		fault{name: "server stopped", lasts: true, strike: func(*round) blow {
			if !server.Runs() {
				return blow{heal: up}
			}
			server.Freeze()
			return blow{heal: server.Continue}
		}},
		fault{name: "pooler restarted", strike: func(*round) blow {
			pooler.Stop()
			return blow{heal: func() { pooler.Begin(t) }}
		}},
	)...)
	return s
}

// TestPostgres: whatever happens to a device's processes, their hosts, and the server.
func TestPostgres(t *testing.T) {
	t.Parallel()
	newPostgres(t).devices(interop.Others()[0])
}
