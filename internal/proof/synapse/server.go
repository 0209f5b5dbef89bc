package synapse

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// Server is a Synapse behind a proxy. What it is asked for by a test it does, or the
// test fails.
type Server struct {
	*hs.Proxy
	t         testing.TB
	name      string
	python    string
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

// Start runs the Synapse of a virtual environment, until the test ends.
func Start(t testing.TB, venv, name string, services ...Service) *Server {
	t.Helper()
	// The path of a socket has to be short, which that of a test's directory is not.
	dir, err := os.MkdirTemp("", "synapse")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "socket")
	s := &Server{
		t: t, name: name, dir: dir, secret: "secret", python: filepath.Join(venv, "bin", "python"), passwords: map[matrix.UserID]string{}, services: services,
		client: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 100,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			},
		}},
	}
	t.Cleanup(s.cleanup)
	if err := s.configure(); err != nil {
		t.Fatal(err)
	}
	if err := s.run(); err != nil {
		t.Fatalf("%v; is it installed in %s? (make synapse)", err, venv)
	}
	if s.Proxy, err = hs.StartProxy(s.client); err != nil {
		t.Fatal(err)
	}
	return s
}

// cleanup ends Synapse by its process id, and leaves nothing of it.
func (s *Server) cleanup() {
	if s.Proxy != nil {
		_ = s.Proxy.Close() // its clients have ended
	}
	if s.process != nil {
		if err := s.process.end(); err != nil {
			s.t.Errorf("synapse: %v", err)
		}
	}
	if s.t.Failed() {
		text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		s.t.Logf("Synapse said %s", text)
	}
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Errorf("synapse: %v", err)
	}
}
