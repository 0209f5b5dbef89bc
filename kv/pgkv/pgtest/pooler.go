//go:build unix

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// errNoPooler: PgBouncer is not installed.
var errNoPooler = errors.New("without PgBouncer: install pgbouncer")

// Pooler is a PgBouncer before a server, which gives each transaction another session.
type Pooler struct {
	server  *Server
	dir     string
	program string
	start   func(*exec.Cmd) error
	process *exec.Cmd
}

// Pool starts a pooler before the server, for one test, with so many sessions at the
// server for all of its clients; or skips the test.
func (s *Server) Pool(t testing.TB, sessions int) *Pooler {
	t.Helper()
	return s.pool(t, nil, sessions)
}

// PoolerPort is where a pooler listens, also one that has a Place.
const PoolerPort = 6432

// poolerSettings let anybody in as the one user of the server. The last two are those that
// docs/postgresql.md asks for.
const poolerSettings = `[databases]
postgres = host=%s port=%d user=%s
[pgbouncer]
pool_mode = transaction
listen_addr = %s
unix_socket_dir = %s
listen_port = %d
auth_type = any
max_client_conn = 1000
default_pool_size = %d
server_login_retry = 1
tcp_user_timeout = 10000
`

// PoolAt is Pool of a pooler on another host, for a server that has a Place too.
func (s *Server) PoolAt(t testing.TB, place Place, sessions int) *Pooler {
	t.Helper()
	return s.pool(t, &place, sessions)
}

func (s *Server) pool(t testing.TB, place *Place, sessions int) *Pooler {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil && os.Getenv("PAWL_FLEET") != "1" {
		t.Skip(errNoPooler)
	}
	if err != nil {
		t.Fatal(errNoPooler)
	}
	p := &Pooler{server: s, program: program, start: (*exec.Cmd).Start}
	listen, server := "", s.dir
	if place != nil {
		p.start, listen, server = place.Start, place.Address, s.place.Address
	}
	if p.dir, err = os.MkdirTemp("", "pawl-pgb-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(); _ = os.RemoveAll(p.dir) })
	settings := fmt.Sprintf(poolerSettings, server, Port, Superuser, listen, p.dir, PoolerPort, sessions)
	err = os.WriteFile(p.config(), []byte(settings), 0o644)
	if err == nil {
		err = errors.Join(s.Own(p.dir), os.Chmod(p.dir, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Begin(t)
	return p
}

func (p *Pooler) config() string { return filepath.Join(p.dir, "pgbouncer.ini") }

// Version is what the program says of itself.
func (p *Pooler) Version() string {
	out, _ := exec.Command(p.program, "--version").Output()
	first, _, _ := strings.Cut(string(out), "\n")
	return first
}

// URL leads through the pooler.
func (p *Pooler) URL() string {
	return fmt.Sprintf("postgres://%s@/postgres?host=%s&port=%d", Superuser, p.dir, PoolerPort)
}

// Begin starts the pooler, and returns when it lets somebody in.
func (p *Pooler) Begin(t testing.TB) {
	t.Helper()
	p.process = exec.Command(p.program, "-q", p.config())
	p.process.Dir, p.process.SysProcAttr = p.dir, p.server.owner
	var said strings.Builder
	p.process.Stdout, p.process.Stderr = &said, &said
	if err := p.start(p.process); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.URL())
		if err == nil {
			_ = conn.Close(ctx)
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the pooler does not start: %v", err)
		case <-time.After(10 * time.Millisecond): // it says nowhere else that it is ready
		}
	}
}

// Stop kills the pooler.
func (p *Pooler) Stop() {
	if p.process != nil {
		_ = p.process.Process.Signal(syscall.SIGKILL)
		_ = p.process.Wait()
		p.process = nil
	}
}
