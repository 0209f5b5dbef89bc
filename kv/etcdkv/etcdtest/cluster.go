package etcdtest

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// patience is how long a cluster may take to answer.
const patience = time.Minute

// Port is where members with a Place answer, and PeerPort where they answer each other.
const (
	Port     = 2379
	PeerPort = 2380
)

// Place is a host where a member runs, and how the test reaches it.
type Place struct {
	Address string // "": this machine, at ports that are free
	Dir     string // in which its data is; "": where that of all members is
	Start   func(*exec.Cmd) error
	Dial    func(ctx context.Context, address string) (net.Conn, error)
}

// addresses returns where a member in the place answers clients and others.
func (p *Place) addresses(t testing.TB) (client, peer string) {
	t.Helper()
	if p.Address == "" {
		p.Start, p.Dial = start, nil
		return freePort(t), freePort(t)
	}
	return fmt.Sprintf("%s:%d", p.Address, Port), fmt.Sprintf("%s:%d", p.Address, PeerPort)
}

// Cluster is one that runs until the test is over.
type Cluster struct {
	Members []*Member
	dial    []grpc.DialOption // of the test
}

// Start starts a cluster of so many members, with more arguments for each, and waits until
// it answers.
func Start(t testing.TB, server Server, members int, args ...string) *Cluster {
	t.Helper()
	return StartIn(t, server, t.TempDir(), members, args...)
}

// StartIn is Start with the directory that the members' data is in, or was.
func StartIn(t testing.TB, server Server, dir string, members int, args ...string) *Cluster {
	t.Helper()
	return startAt(t, server, dir, make([]Place, members), args...)
}

// StartAt is Start of a cluster with a member in each of some places.
func StartAt(t testing.TB, server Server, places []Place, args ...string) *Cluster {
	t.Helper()
	return startAt(t, server, t.TempDir(), places, args...)
}

func startAt(t testing.TB, server Server, dir string, places []Place, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{}
	clients, peers, all := make([]string, len(places)), make([]string, len(places)), make([]string, len(places))
	for i := range places {
		clients[i], peers[i] = places[i].addresses(t)
		all[i] = fmt.Sprintf("m%d=http://%s", i, peers[i])
	}
	if dial := places[0].Dial; dial != nil {
		c.dial = append(c.dial, grpc.WithContextDialer(dial))
	}
	t.Cleanup(func() { c.tell(t) })
	token := rand.Text()
	for i := range places {
		m := &Member{Client: clients[i], server: server, start: places[i].Start, log: filepath.Join(dir, fmt.Sprintf("m%d.log", i))}
		data := dir
		if places[i].Dir != "" {
			data = places[i].Dir
		}
		m.args = append([]string{
			"--name", fmt.Sprintf("m%d", i), "--data-dir", filepath.Join(data, fmt.Sprintf("m%d", i)),
			"--listen-client-urls", "http://" + m.Client, "--advertise-client-urls", "http://" + m.Client,
			"--listen-peer-urls", "http://" + peers[i], "--initial-advertise-peer-urls", "http://" + peers[i],
			"--initial-cluster", strings.Join(all, ","), "--initial-cluster-token", token,
			"--log-level", "error", "--logger", "zap",
		}, args...)
		c.Members = append(c.Members, m)
		m.Run(t)
	}
	c.Await(t)
	return c
}

// Ports that the system gives nobody who asks for any, and takes for no connection: those
// of a member that is away for a while would go to others.
const firstPort, lastPort = 12000, 32000

// freePort returns an address that nobody listens at.
func freePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := firstPort + mathrand.IntN(lastPort-firstPort)
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatalf("no port is free from %d to %d", firstPort, lastPort)
	return ""
}

// Endpoints returns where the members answer.
func (c *Cluster) Endpoints() []string {
	var all []string
	for _, m := range c.Members {
		all = append(all, m.Client)
	}
	return all
}

// Connect returns a plain client.
func (c *Cluster) Connect(t testing.TB) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints(), DialTimeout: patience, DialOptions: c.dial, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// Await waits until the cluster answers.
func (c *Cluster) Await(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := c.Connect(t)
	for {
		try, stop := context.WithTimeout(ctx, 2*time.Second)
		_, err := client.Get(try, "nothing")
		stop()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("etcd does not answer: %v", err)
		}
	}
}

// tell logs what the members of a test that has failed say, and how they ended: all are
// killed by then, unless they ended by themselves.
func (c *Cluster) tell(t testing.TB) {
	if !t.Failed() {
		return
	}
	for _, m := range c.Members {
		if m.cmd == nil {
			continue
		}
		text, _ := os.ReadFile(m.log)
		t.Logf("%s (ended: %v) says:\n%s", m.log, m.cmd.ProcessState, text)
	}
}

// Leader returns the member that leads, when there is one.
func (c *Cluster) Leader(t testing.TB) *Member {
	t.Helper()
	client := c.Connect(t)
	defer client.Close()
	for late := time.Now().Add(patience); time.Now().Before(late); {
		for _, m := range c.Members {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			said, err := client.Status(ctx, m.Client)
			cancel()
			if err == nil && said.Leader == said.Header.MemberId {
				return m
			}
		}
	}
	t.Fatalf("none of %d members leads after %v", len(c.Members), patience)
	return nil
}
