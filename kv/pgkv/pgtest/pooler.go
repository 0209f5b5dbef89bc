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
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// errNoPooler: PgBouncer is not installed.
var errNoPooler = errors.New("without PgBouncer: install pgbouncer")

// Pooler is a PgBouncer before a server, which gives each transaction another session. One
// that ends by itself is replaced, as a service manager does it: version 1.18, which Debian
// 12 has, ends with "bad state: 11" where statements are cancelled while much is to be done
// (issues 801 and 822 of PgBouncer, mended in 1.19).
type Pooler struct {
	server  *Server
	dir     string
	program string
	start   func(*exec.Cmd) error

	stop  chan struct{} // to be closed; nil while nothing runs
	ended chan struct{} // closed after the last process
	pid   atomic.Int64
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
	p.stop, p.ended = make(chan struct{}), make(chan struct{})
	first, err := p.run()
	if err != nil {
		t.Fatal(err)
	}
	go p.keep(t, first)
	p.await(t)
}

// pooling is one process of a pooler.
type pooling struct {
	*exec.Cmd
	said strings.Builder
}

func (p *Pooler) run() (*pooling, error) {
	one := &pooling{Cmd: exec.Command(p.program, "-q", p.config())}
	one.Dir, one.SysProcAttr = p.dir, p.server.owner
	one.Stdout, one.Stderr = &one.said, &one.said
	if err := p.start(one.Cmd); err != nil {
		return nil, err
	}
	p.pid.Store(int64(one.Process.Pid))
	return one, nil
}

// keep has a process run until Stop.
func (p *Pooler) keep(t testing.TB, one *pooling) {
	defer close(p.ended)
	for {
		over := make(chan error, 1)
		go func() { over <- one.Wait() }()
		select {
		case <-p.stop:
			_ = one.Process.Signal(syscall.SIGKILL)
			<-over
			return
		case err := <-over:
			t.Logf("PgBouncer has ended by itself, and is started again: %v: %s", err, one.said.String())
		}
		time.Sleep(10 * time.Millisecond) // one that cannot start ends at once
		var err error
		if one, err = p.run(); err != nil {
			t.Logf("PgBouncer cannot be started: %v", err)
			return
		}
	}
}

// await returns when the pooler lets somebody in.
func (p *Pooler) await(t testing.TB) {
	t.Helper()
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

// Crash kills the process of the pooler, and returns when another lets somebody in.
func (p *Pooler) Crash(t testing.TB) {
	t.Helper()
	before := p.pid.Load()
	_ = syscall.Kill(int(before), syscall.SIGKILL)
	for late := time.Now().Add(patience); p.pid.Load() == before; {
		if time.Now().After(late) {
			t.Fatalf("no other pooler has been started for %v", patience)
		}
		time.Sleep(time.Millisecond)
	}
	p.await(t)
}

// Stop kills the pooler, and no other takes its place.
func (p *Pooler) Stop() {
	if p.stop != nil {
		close(p.stop)
		<-p.ended
		p.stop = nil
	}
}
