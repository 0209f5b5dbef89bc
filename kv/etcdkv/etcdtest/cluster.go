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
)

// patience is how long a cluster may take to answer.
const patience = time.Minute

// Cluster is one that runs until the test is over.
type Cluster struct {
	Members []*Member
}

// Member is one process of a cluster.
type Member struct {
	Client string // HOST:PORT
	server Server
	args   []string
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
	c := &Cluster{}
	var peers, all []string
	for i := range members {
		peers = append(peers, freePort(t))
		all = append(all, fmt.Sprintf("m%d=http://%s", i, peers[i]))
	}
	token := rand.Text()
	for i := range members {
		m := &Member{Client: freePort(t), server: server, log: filepath.Join(dir, fmt.Sprintf("m%d.log", i))}
		m.args = append([]string{
			"--name", fmt.Sprintf("m%d", i), "--data-dir", filepath.Join(dir, fmt.Sprintf("m%d", i)),
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
	client, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints(), DialTimeout: patience, Logger: zap.NewNop()})
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
	if err := start(cmd); err != nil {
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

// Stop suspends the member, until Continue.
func (m *Member) Stop() { m.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue lets a suspended member go on.
func (m *Member) Continue() { m.cmd.Process.Signal(syscall.SIGCONT) }
