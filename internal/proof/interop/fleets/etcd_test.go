//go:build linux

package fleets

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/pawlkv/pawl/internal/proof/fleet"
	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv/etcdtest"
)

// members are how many a cluster has: of them one may fail.
const members = 3

// etcdPlace is a host as a member's.
func etcdPlace(host *fleet.Host) etcdtest.Place {
	return etcdtest.Place{
		Start: host.Start, Address: host.Address,
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			late, _ := ctx.Deadline()
			return host.Dial(net.Dialer{Deadline: late}, "tcp", address)
		},
	}
}

// newEtcd is a site of a cluster, each member on a host of its own, and what can happen to
// it. The members elect another leader sooner than by default.
func newEtcd(t *testing.T) *site {
	t.Helper()
	s := newSite(t, etcd)
	var places []etcdtest.Place
	for _, name := range []string{"one", "two", "three"}[:members] {
		places = append(places, etcdPlace(s.server(name)))
	}
	disk, mounted := mount(t, etcdRoom)
	if mounted {
		places[0].Dir = disk
	}
	cluster := etcdtest.StartAt(t, etcdtest.Newest(), places,
		"--heartbeat-interval=50", "--election-timeout=500",
		fmt.Sprint("--quota-backend-bytes=", quota), "--auto-compaction-mode=revision", "--auto-compaction-retention=1000", "--snapshot-count=500")
	for i := range s.clients {
		var doors []string
		for _, host := range s.servers {
			doors = append(doors, s.reach(i, host, etcdtest.Port))
		}
		s.clients[i].url = strings.Join(doors, ",")
	}
	s.open = func() (kv.Store, error) {
		return openReached(func() (kv.Store, error) {
			setup := processes.Setup{URL: strings.Join(cluster.Endpoints(), ","), Dir: s.clients[0].dir}
			return openEtcdBy(setup, grpc.WithContextDialer(places[0].Dial))
		})
	}
	anyone := func() *etcdtest.Member { return cluster.Members[s.rng.IntN(members)] }
	leader := func() *etcdtest.Member { return cluster.Leader(t) }
	if mounted {
		first := cluster.Members[0]
		s.faults = append(s.faults, s.fullDisk("disk of a member full", disk, first, func() {
			if !first.Runs() {
				first.Run(t)
			}
		}, func() { cluster.Recover(t, first) }))
	}
	s.excuses = append(s.excuses, kv.ErrDiskFull)
	s.faults = append(s.faults, append(s.cuts(), s.late(),
		killedMember(t, "member killed", anyone), killedMember(t, "leader killed", leader),
		stoppedMember("member stopped", anyone), stoppedMember("leader stopped", leader),
		fault{name: "all members killed", strike: func(*round) blow {
			for _, m := range cluster.Members {
				m.Kill()
			}
			return blow{heal: func() {
				for _, m := range cluster.Members {
					if !m.Runs() {
						m.Run(t)
					}
				}
			}}
		}},
		s.quotaUsedUp(cluster), // last: all members are there when room is made
	)...)
	return s
}

func killedMember(t *testing.T, name string, which func() *etcdtest.Member) fault {
	return fault{name: name, strike: func(*round) blow {
		m := which()
		m.Kill()
		return blow{heal: func() {
			if !m.Runs() {
				m.Run(t)
			}
		}}
	}}
}

func stoppedMember(name string, which func() *etcdtest.Member) fault {
	return fault{name: name, lasts: true, strike: func(*round) blow {
		m := which()
		m.Stop()
		return blow{heal: m.Continue}
	}}
}

// TestEtcd: whatever happens to a device's processes, their hosts, and the members of the
// cluster.
func TestEtcd(t *testing.T) {
	t.Parallel()
	others := interop.Others()
	newEtcd(t).devices(others[len(others)-1])
}

// TestEtcdHistory: one order explains all that processes on three hosts saw and were told,
// whatever happens to them and to the members.
func TestEtcdHistory(t *testing.T) {
	t.Parallel()
	newEtcd(t).history()
}
