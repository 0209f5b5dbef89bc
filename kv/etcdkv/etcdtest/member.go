package etcdtest

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

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

// commits is how often the member has written its database.
func (m *Member) commits(t testing.TB) int {
	t.Helper()
	answer, err := http.Get("http://" + m.Client + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	const name = "\netcd_disk_backend_commit_duration_seconds_count "
	_, after, _ := strings.Cut(string(text), name)
	line, _, _ := strings.Cut(after, "\n")
	n, err := strconv.Atoi(line)
	if err != nil {
		t.Fatalf("%s tells no %q: %v", m.Client, name, err)
	}
	return n
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
