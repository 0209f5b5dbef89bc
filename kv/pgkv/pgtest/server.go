//go:build unix

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Superuser is the role that a server is made with; it needs no password.
const Superuser = "postgres"

// patience is how long a server may take for anything.
const patience = 60 * time.Second

// Server is a PostgreSQL server. Its methods fail the test.
type Server struct {
	dir      string // of the socket, the log, and the data in "data"
	bin      string
	settings []string
	owner    *syscall.SysProcAttr
	place    *Place // nil: on this machine, at a socket alone
	process  *exec.Cmd
	exited   chan struct{}
}

// Shared is a server for all tests of a package: made by the first that asks for it.
// TestMain stops it.
type Shared struct {
	server *Server
	err    error
}

// Get returns the server, or skips the test.
func (s *Shared) Get(t testing.TB) *Server {
	t.Helper()
	if s.server == nil && s.err == nil {
		s.server, s.err = start([]string{"max_connections=400"})
	}
	need(t, s.err)
	return s.server
}

// Stop removes the server, if there is one.
func (s *Shared) Stop() {
	if s.server != nil {
		s.server.remove()
	}
}

// Start starts a server with settings ("name=value"), for one test, or skips the test.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := start(settings)
	need(t, err)
	t.Cleanup(s.remove)
	return s
}

// Place is a host where a server listens, beside its socket.
type Place struct {
	Start   func(*exec.Cmd) error // starts a process there
	Address string
	Dir     string   // in which its files are; "": where temporary files are
	Env     []string // of the server's processes, beside the test's own
}

// dir is the directory in which a server's is made.
func (p *Place) dir() string {
	if p == nil {
		return ""
	}
	return p.Dir
}

// Port is where a server listens that has a Place.
const Port = 5432

// StartAt is Start of a server on another host, where anybody may connect.
func StartAt(t testing.TB, place Place, settings ...string) *Server {
	t.Helper()
	s, err := startAt(&place, settings)
	need(t, err)
	t.Cleanup(s.remove)
	return s
}

// errNone: PostgreSQL is not installed.
var errNone = errors.New("without PostgreSQL: install postgresql (15 or later), or name the directory of its programs in PAWL_POSTGRES_BIN")

// need skips the test, or fails it where servers are required.
func need(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errNone) && os.Getenv("PAWL_FLEET") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func start(settings []string) (s *Server, err error) { return startAt(nil, settings) }

func startAt(place *Place, settings []string) (s *Server, err error) {
	s = &Server{settings: settings, place: place}
	if s.bin, err = programs(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp(place.dir(), "pawl-pg-"); err != nil { // short: sockets have short names
		return nil, err
	}
	if err := s.own(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	err = s.run("initdb", "-D", s.data(), "-U", Superuser, "-E", "UTF8", "--locale=C", "-A", "trust", "--no-sync")
	if err == nil && place != nil {
		err = s.letAnybodyIn()
	}
	if err == nil {
		err = s.begin()
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// programs returns the directory of the server's programs.
func programs() (string, error) {
	places := []string{os.Getenv("PAWL_POSTGRES_BIN")}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			places = append(places, filepath.Dir(path))
		}
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(debian) // the newest
	for _, place := range append(places, debian...) {
		if _, err := os.Stat(filepath.Join(place, "pg_basebackup")); place != "" && err == nil {
			return place, nil
		}
	}
	return "", errNone
}

// own gives the directory to somebody else than root, whom the server refuses.
func (s *Server) own() error {
	if os.Getuid() != 0 {
		return nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		who, err = user.Lookup("nobody")
	}
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	s.owner = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return errors.Join(os.Chown(s.dir, uid, gid), os.Chmod(s.dir, 0o755))
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, s.owner
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", fmt.Sprint("PGPORT=", Port)) // whatever is set around the tests
	return cmd
}

func (s *Server) run(program string, args ...string) error {
	if out, err := s.command(program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

// begin starts the server and waits until it lets somebody in.
func (s *Server) begin() error {
	args := []string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses="}
	if s.place != nil {
		args[len(args)-1] += s.place.Address
	}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	s.process, s.exited = s.command("postgres", args...), make(chan struct{})
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	start := (*exec.Cmd).Start
	if s.place != nil {
		start = s.place.Start
		s.process.Env = append(s.process.Env, s.place.Env...)
	}
	if err := start(s.process); err != nil {
		return err
	}
	go func(process *exec.Cmd, exited chan struct{}) {
		_ = process.Wait()
		close(exited)
	}(s.process, s.exited)
	return s.letsIn()
}

// letsIn waits until the server lets somebody in, or has ended.
func (s *Server) letsIn() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL(Superuser, "postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond): // it says nowhere else that it is ready
			continue
		}
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("the server does not start: %w\n%s", err, log)
	}
}

// URL leads a role to a database.
func (s *Server) URL(role, database string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=%d", role, database, s.dir, Port)
}

// HostURL leads a role to a database over the network, where the server has a Place.
func (s *Server) HostURL(role, database string) string {
	return fmt.Sprintf("postgres://%s@%s:%d/%s", role, s.place.Address, Port, database)
}

// Dir is where the server has its socket, its log, and in "data" its files.
func (s *Server) Dir() string { return s.dir }

// PID is the process's to which all others of the server belong.
func (s *Server) PID() int { return s.process.Process.Pid }

// SQL runs statements as the superuser, each in a transaction of its own unless they
// begin one.
func (s *Server) SQL(t testing.TB, statements ...string) {
	t.Helper()
	conn := s.Connect(t)
	defer conn.Close(context.Background())
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Connect returns a connection of the superuser.
func (s *Server) Connect(t testing.TB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL(Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// Stop ends the server: SIGINT is a fast shutdown, SIGQUIT an immediate one, like a
// crash.
func (s *Server) Stop(how syscall.Signal) {
	_ = s.process.Process.Signal(how)
	<-s.exited
}

// Runs reports whether the server has not ended.
func (s *Server) Runs() bool {
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// Begin starts a server again that was stopped.
func (s *Server) Begin(t testing.TB) {
	t.Helper()
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
}

// Recover returns when a server lets somebody in that something was wrong with. One whose
// processes have failed starts again by itself, or ends, and that some time after it had a
// reason to: then it is begun again.
func (s *Server) Recover(t testing.TB) {
	t.Helper()
	if err := s.letsIn(); err == nil {
		return
	} else if s.Runs() {
		t.Fatal(err)
	}
	s.Begin(t)
}

// Log is what the server has written.
func (s *Server) Log() string {
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return strings.TrimSpace(string(log))
}

// Remove ends a server before its test does.
func (s *Server) Remove() { s.remove() }

func (s *Server) remove() {
	if s.process != nil && s.process.Process != nil {
		s.Continue()
		s.Stop(syscall.SIGQUIT)
	}
	_ = os.RemoveAll(s.dir)
}
