//go:build linux

package fleets

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/kv/etcdkv/etcdtest"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
	"github.com/pawlkv/pawl/ratchet"
)

// How large the bridge is: in make test-fleet, and in make fleet.
const (
	fewDevices  = 50
	manyDevices = 1000
	eachDevice  = 10 // messages
	replicas    = 4
	killAfter   = 100 // answers, in make test-fleet
	killEvery   = time.Second
	atOnce      = 32
	firstAnswer = time.Second // within which a replica is to serve, in make fleet
	twiceOneIn  = 4
	// Between two looks at connections, for which the system walks through all that it has:
	// the machine is to be the replicas'. A connection of a pool stays for as long as its
	// replica.
	lookAtConnections = 500 * time.Millisecond
)

// bridge is devices in spaces of their own, and replicas that share all of them.
type bridge struct {
	*site
	port int // of the servers

	mu       sync.Mutex
	running  [replicas]*replicaProcess
	firsts   []time.Duration
	slowest  string // the phases of the longest of them
	memory   int    // of a replica, the most, in kB
	kills    int
	answered atomic.Int64
}

// delivery is a message, and what the replicas made of it.
type delivery struct {
	order
	text string

	mu         sync.Mutex
	answers    int
	firsthand  int // answers that are not marked duplicate
	interrupts int // replicas that were killed while they had it
}

func newBridge(t *testing.T, engine string) *bridge {
	t.Helper()
	b := &bridge{site: newSite(t, engine)}
	if engine == etcd {
		b.port = etcdtest.Port
		b.startEtcd()
	} else {
		b.port = pgtest.Port
		host := b.site.server("server")
		pgtest.StartAt(t, placeOf(host))
		for i := range b.clients {
			b.clients[i].url = urlAt(b.clients[i].Door(t, host, b.port))
		}
	}
	for i := range b.running {
		b.replace(i)
	}
	return b
}

// startEtcd starts a cluster, whose disks sync, each member on a host of its own.
func (b *bridge) startEtcd() {
	b.Helper()
	var places []etcdtest.Place
	for _, name := range []string{"one", "two", "three"}[:members] {
		places = append(places, etcdPlace(b.site.server(name)))
	}
	etcdtest.StartAt(b.T, etcdtest.Newest(), places)
	for i := range b.clients {
		var doors []string
		for _, host := range b.servers {
			doors = append(doors, b.clients[i].Door(b.T, host, b.port))
		}
		b.clients[i].url = strings.Join(doors, ",")
	}
}

// replace starts a replica in the place of one that is killed, if there is one.
func (b *bridge) replace(i int) {
	b.Helper()
	b.mu.Lock()
	old := b.running[i]
	b.mu.Unlock()
	if old != nil {
		most := old.kill()
		b.mu.Lock()
		b.kills++
		b.memory = max(b.memory, most)
		if old.first > 0 {
			if len(b.firsts) == 0 || old.first > slices.Max(b.firsts) {
				b.slowest = old.phases
			}
			b.firsts = append(b.firsts, old.first)
		}
		b.mu.Unlock()
	}
	p := startReplica(b.T, b.engine, b.clients[i%len(b.clients)])
	b.Cleanup(func() { p.kill() })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running[i] = p
}

// any is one of the replicas, and another one.
func (b *bridge) any() (one, other *replicaProcess) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := rand.IntN(replicas)
	return b.running[i], b.running[(i+1+rand.IntN(replicas-1))%replicas]
}

// prepare makes the devices, and messages for each from one far side.
func (b *bridge) prepare(devices int, other interop.Implementation) (all []*delivery) {
	b.Helper()
	made := make([]reply, devices)
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range made {
		group.Go(func() (err error) {
			one, _ := b.any()
			if made[i], err = one.ask(order{Device: i, Create: true}); err == nil && made[i].Err != "" {
				err = errors.New(made[i].Err)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatalf("making a device: %v", err)
	}
	account, err := other.NewAccount()
	if err != nil {
		b.Fatal(err)
	}
	sessions := make([]interop.Session, devices)
	for i := range eachDevice {
		for device, keys := range made {
			if i == 0 {
				if sessions[device], err = account.Outbound(keys.Identity, keys.OneTimeKey); err != nil {
					b.Fatal(err)
				}
			}
			text := fmt.Sprintf("message %d for device %d", i, device)
			m, err := sessions[device].Encrypt([]byte(text))
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, &delivery{text: text, order: order{Device: device, Sender: account.IdentityKey(), Type: ratchet.MessageType(m.Type), Body: m.Body}})
		}
	}
	return all
}

// deliver delivers a message until it is answered, now and then to two replicas at once.
func (b *bridge) deliver(d *delivery) error {
	var both errgroup.Group
	one, other := b.any()
	both.Go(func() error { return b.give(d, one) })
	if rand.IntN(twiceOneIn) == 0 {
		both.Go(func() error { return b.give(d, other) })
	}
	return both.Wait()
}

// give gives a message to a replica, and to another one if that is killed.
func (b *bridge) give(d *delivery, to *replicaProcess) error {
	for {
		r, err := to.ask(d.order)
		switch {
		case errors.Is(err, errKilled):
			d.mu.Lock()
			d.interrupts++
			d.mu.Unlock()
			to, _ = b.any()
			continue
		case err != nil:
			return err
		case r.Err != "":
			return fmt.Errorf("%s: %s", d.text, r.Err)
		case string(r.Text) != d.text:
			return fmt.Errorf("%s: answered with %q", d.text, r.Text)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.answers++; !r.Duplicate {
			d.firsthand++
		}
		b.answered.Add(1)
		return nil
	}
}

// killing kills one replica after the other, every second or after so many answers.
func (b *bridge) killing(ctx context.Context, whole bool) {
	next := int64(killAfter)
	tick := time.NewTicker(killEvery)
	defer tick.Stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if !whole {
				continue
			}
		case <-look.C:
			if whole || b.answered.Load() < next {
				continue
			}
			next += killAfter
		}
		b.replace(rand.IntN(replicas))
	}
}

// connections notes how many connections the replicas have to servers at most.
func (b *bridge) connections(ctx context.Context, most *int) {
	for ctx.Err() == nil {
		now := 0
		for i := range min(replicas, len(b.clients)) { // those of a host see each other's
			b.mu.Lock()
			pid := b.running[i].cmd.Process.Pid
			b.mu.Unlock()
			now += connectionsTo(pid, b.port)
		}
		*most = max(*most, now)
		select {
		case <-ctx.Done():
		case <-time.After(lookAtConnections):
		}
	}
}

// connectionsTo counts the TCP connections to a port that stand on the host of a process.
func connectionsTo(pid, port int) (n int) {
	table, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid)) // it may have been killed
	const established = "01"
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) > 3 && strings.HasSuffix(fields[2], fmt.Sprintf(":%04X", port)) && fields[3] == established {
			n++
		}
	}
	return n
}

// TestBridge: four replicas share the devices of a bridge, each device in a space of its
// own, which is opened when it is first asked for. While one replica after the other is
// killed, each message has one answer that is not marked duplicate, and none fails.
func TestBridge(t *testing.T) {
	for _, engine := range []string{postgres, etcd} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			crossBridge(t, engine)
		})
	}
}

func crossBridge(t *testing.T, engine string) {
	t.Helper()
	devices := fewDevices
	if *whole {
		devices = manyDevices
	}
	b := newBridge(t, engine)
	all := b.prepare(devices, interop.Others()[0])
	for i := range b.running { // which have nothing open
		b.replace(i)
	}
	b.kills, b.memory = 0, 0
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	most := 0
	var beside sync.WaitGroup
	beside.Go(func() { b.killing(ctx, *whole) })
	beside.Go(func() { b.connections(ctx, &most) })
	began := time.Now()
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, d := range all {
		group.Go(func() error { return b.deliver(d) })
	}
	err := group.Wait()
	took := time.Since(began)
	stop()
	beside.Wait()
	if err != nil {
		t.Fatal(err)
	}
	b.judge(all)
	kills := b.kills
	for i := range b.running {
		b.replace(i)
	}
	slices.Sort(b.firsts)
	worst := b.firsts[len(b.firsts)-1]
	t.Logf("%d devices, %d messages in %v, %d replicas killed meanwhile", devices, len(all), took.Round(time.Millisecond), kills)
	t.Logf("a replica has answered its first message after %v in the median of %d, %v at most", b.firsts[len(b.firsts)/2].Round(time.Millisecond), len(b.firsts), worst.Round(time.Millisecond))
	t.Logf("the longest: %s", b.slowest)
	t.Logf("at most %d connections, and %d MB of memory in a replica", most, b.memory>>10)
	if *whole && worst > firstAnswer {
		t.Errorf("a replica has answered its first message after %v, want at most %v", worst, firstAnswer)
	}
	if kills == 0 {
		t.Error("no replica was killed")
	}
}

// judge looks at the answers to each message.
func (b *bridge) judge(all []*delivery) {
	b.Helper()
	died, twice := 0, 0
	for _, d := range all {
		if d.answers > 1 {
			twice++
		}
		switch {
		case d.firsthand == 1:
		case d.firsthand == 0 && d.interrupts > 0:
			died++ // the replica that had decrypted it was killed before it could say so
		default:
			b.Errorf("%s: %d of %d answers are not marked duplicate, want 1; %d replicas were killed that had it", d.text, d.firsthand, d.answers, d.interrupts)
		}
	}
	b.Logf("%d messages were answered twice; of %d the one answer that is not marked duplicate died with its replica", twice, died)
}
