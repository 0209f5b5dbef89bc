package synapse

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// Server is a Synapse, or a Dendrite, behind a proxy. What it is asked for by a test it does, or the
// test fails.
type Server struct {
	*hs.Proxy
	t         testing.TB
	name      string
	kind      kind
	dir       string
	secret    string // with which users are made
	client    *http.Client
	process   *process
	passwords map[matrix.UserID]string
	admin     string // the token of somebody who sees all rooms
	services  []Service
}

// Service is the registration of an application service, in the words of its file. One
// that asks for to-device events and for what belongs to devices in transactions gets
// them.
type Service map[string]any

var _ hs.Homeserver = (*Server)(nil)

// kind is what differs from one server to another.
type kind struct {
	name      string
	missing   string // what to do if it does not start
	configure func(*Server) error
	command   func(*Server) *exec.Cmd // ends when its standard input does
	timeline  func(*Server, matrix.RoomID) []hs.Event
	password  func(string) string // for what a test calls a password
}

// Start runs the Synapse of a virtual environment, until the test ends.
func Start(t testing.TB, venv, name string, services ...Service) *Server {
	t.Helper()
	return start(t, name, kind{
		name: "synapse", missing: "is it installed in " + venv + "? (make synapse)",
		configure: (*Server).configure,
		command: func(s *Server) *exec.Cmd {
			return exec.Command(filepath.Join(venv, "bin", "python"), "-c", program, "-c", filepath.Join(s.dir, "homeserver.yaml"))
		},
		timeline: (*Server).administered,
		password: func(text string) string { return text },
	}, services...)
}

func start(t testing.TB, name string, of kind, services ...Service) *Server {
	t.Helper()
	// The path of a socket has to be short, which that of a test's directory is not.
	dir, err := os.MkdirTemp("", of.name)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "socket")
	s := &Server{
		t: t, name: name, dir: dir, secret: "secret", kind: of, passwords: map[matrix.UserID]string{}, services: services,
		client: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 100,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			},
		}},
	}
	t.Cleanup(s.cleanup)
	if err := of.configure(s); err != nil {
		t.Fatal(err)
	}
	if err := s.run(); err != nil {
		t.Fatalf("%v; %s", err, of.missing)
	}
	if s.Proxy, err = hs.StartProxy(s.client); err != nil {
		t.Fatal(err)
	}
	return s
}

// cleanup ends the server by its process id, and leaves nothing of it.
func (s *Server) cleanup() {
	if s.Proxy != nil {
		_ = s.Proxy.Close() // its clients have ended
	}
	if s.process != nil {
		if err := s.process.end(); err != nil {
			s.t.Errorf("%s: %v", s.kind.name, err)
		}
	}
	if s.t.Failed() {
		text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		s.t.Logf("%s said %s", s.kind.name, text)
	}
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Errorf("%s: %v", s.kind.name, err)
	}
}
