//go:build unix

package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Standby starts a server that follows this one, for one test.
func (s *Server) Standby(t testing.TB, settings ...string) *Server {
	t.Helper()
	return s.standby(t, nil, settings)
}

// StandbyAt is Standby on another host, which follows this server over the network.
func (s *Server) StandbyAt(t testing.TB, place Place, settings ...string) *Server {
	t.Helper()
	return s.standby(t, &place, settings)
}

// Follow makes a standby follow another server than before.
func (s *Server) Follow(t testing.TB, primary *Server) {
	t.Helper()
	if err := s.follow(primary); err != nil {
		t.Fatal(err)
	}
	s.SQL(t, "SELECT pg_reload_conf()")
}

// follow writes whom the server follows over the network where its settings are read last.
func (s *Server) follow(primary *Server) error {
	file, err := os.OpenFile(filepath.Join(s.data(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "primary_conninfo = 'host=%s port=%d user=%s connect_timeout=2'\n", primary.place.Address, Port, Superuser)
	return errors.Join(err, file.Close())
}

// Received is how far a standby has received what its primary wrote.
func (s *Server) Received(t testing.TB) (bytes int64) {
	t.Helper()
	conn := s.Connect(t)
	defer conn.Close(context.Background())
	err := conn.QueryRow(t.Context(), "SELECT (pg_last_wal_receive_lsn() - '0/0')::bigint").Scan(&bytes)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func (s *Server) standby(t testing.TB, place *Place, settings []string) *Server {
	t.Helper()
	follows := &Server{bin: s.bin, settings: settings, place: place}
	var err error
	if follows.dir, err = os.MkdirTemp("", "pawl-pg-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(follows.remove)
	err = follows.own()
	if err == nil {
		err = follows.run("pg_basebackup", "-h", s.dir, "-U", Superuser, "-D", follows.data(), "-R", "-c", "fast", "--no-sync")
	}
	if err == nil && place != nil {
		err = follows.follow(s)
	}
	if err == nil {
		err = follows.begin()
	}
	if err != nil {
		t.Fatal(err)
	}
	return follows
}

// Promote makes a standby a primary, and returns when it is one.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	if err := s.run("pg_ctl", "promote", "-D", s.data(), "-w"); err != nil {
		t.Fatal(err)
	}
	s.Await(t, "SELECT NOT pg_is_in_recovery()")
}

// Await returns when a query answers true.
func (s *Server) Await(t testing.TB, query string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn := s.Connect(t)
	defer conn.Close(context.Background())
	for is := false; !is; {
		if err := conn.QueryRow(ctx, query).Scan(&is); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if !is {
			<-time.After(5 * time.Millisecond)
		}
	}
}

// Own gives a directory to whom the server runs as.
func (s *Server) Own(path string) error {
	if s.owner == nil {
		return nil
	}
	return os.Chown(path, int(s.owner.Credential.Uid), int(s.owner.Credential.Gid))
}

// Dump returns all of the database postgres.
func (s *Server) Dump(t testing.TB) []byte {
	t.Helper()
	dump, err := s.command("pg_dump", "-h", s.dir, "-U", Superuser, "postgres").Output()
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

// Restore puts a dump into the database postgres.
func (s *Server) Restore(t testing.TB, dump []byte) {
	t.Helper()
	cmd := s.command("psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", s.dir, "-U", Superuser, "postgres")
	cmd.Stdin = bytes.NewReader(dump)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("restore: %v\n%s", err, out)
	}
}
