package etcdtest

import (
	"os"
	"os/exec"
	"testing"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

// memberEnv makes a test's program a member of a cluster.
const memberEnv = "PAWL_ETCDTEST_MEMBER"

// Main is what TestMain does: it is a member if it was started as one, and runs the tests
// otherwise.
func Main(run func()) {
	if os.Getenv(memberEnv) != "" {
		etcdmain.Main(os.Args)
		return
	}
	run()
}

// Server is a program that members are.
type Server struct {
	Name string
	path string   // "" for the test's own
	args []string // that it needs beside those of every member
}

// Newest is the version that this module is built with.
func Newest() Server {
	return Server{Name: "newest", args: []string{"--unsafe-no-fsync"}}
}

// Debian is Debian's etcd-server, version 3.4. Without it the test is skipped, or fails if
// PAWL_FLEET=1.
func Debian(t testing.TB) Server {
	t.Helper()
	path, err := exec.LookPath("etcd")
	switch {
	case err == nil:
	case os.Getenv("PAWL_FLEET") == "1":
		t.Fatalf("without Debian's etcd, which PAWL_FLEET=1 requires: install etcd-server: %v", err)
	default:
		t.Skip("without Debian's etcd: install etcd-server to run this")
	}
	return Server{Name: "debian", path: path}
}

// command returns the server with arguments.
func (s Server) command(args ...string) *exec.Cmd {
	args = append(args, s.args...)
	if s.path != "" {
		return exec.Command(s.path, args...)
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), memberEnv+"=1")
	return cmd
}

// Each runs a test on every server there is.
func Each(t *testing.T, run func(t *testing.T, s Server)) {
	t.Run("newest", func(t *testing.T) { run(t, Newest()) })
	t.Run("debian", func(t *testing.T) { run(t, Debian(t)) })
}

// EachInFull runs a test on the newest server, and on the others too without -short.
func EachInFull(t *testing.T, run func(t *testing.T, s Server)) {
	if !testing.Short() {
		Each(t, run)
		return
	}
	t.Run("newest", func(t *testing.T) { run(t, Newest()) })
}
