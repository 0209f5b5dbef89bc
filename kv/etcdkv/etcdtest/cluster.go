package etcdtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
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

// Member is one process of a cluster.
type Member struct {
	Client string // HOST:PORT
	server Server
	args   []string
	start  func(*exec.Cmd) error
	log    string
	cmd    *exec.Cmd
	ended  chan struct{}
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

// freePort returns an address that nobody listens at.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
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
			for _, m := range c.Members {
				text, _ := os.ReadFile(m.log)
				t.Logf("%s says:\n%s", m.log, text)
			}
			t.Fatalf("etcd does not answer: %v", err)
		}
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

// Run starts a member, for the first time or again.
func (m *Member) Run(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := m.server.command(m.args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := m.start(cmd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	m.cmd, m.ended = cmd, ended
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	t.Cleanup(func() { kill(cmd, ended) })
}

// Kill ends the member at once, and waits until it is gone.
func (m *Member) Kill() { kill(m.cmd, m.ended) }

func kill(cmd *exec.Cmd, ended <-chan struct{}) {
	cmd.Process.Kill()
	<-ended
}

// Runs reports whether the member has not ended.
func (m *Member) Runs() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// Recover returns when a member has taken something that something was wrong with: one that
// has failed may end some time after it had a reason to. Then it is started again. The
// cluster must have a leader, or come to one.
func (c *Cluster) Recover(t testing.TB, m *Member) {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{m.Client}, DialTimeout: patience, DialOptions: c.dial, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for late := time.Now().Add(patience); time.Now().Before(late); {
		if !m.Runs() {
			m.Run(t)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err = client.Delete(ctx, "nothing") // which it has on its disk when it answers
		cancel()
		if err == nil {
			return
		}
	}
	t.Fatalf("a member does not recover: %v", err)
}

// Stop suspends the member, until Continue.
func (m *Member) Stop() { m.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue lets a suspended member go on.
func (m *Member) Continue() { m.cmd.Process.Signal(syscall.SIGCONT) }
