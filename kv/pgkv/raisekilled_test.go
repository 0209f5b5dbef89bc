//go:build linux || darwin

package pgkv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// raiseEnv tells a process of a test which schema to raise.
const raiseEnv = "PGKV_TEST_RAISE"

func raiseIn(url, schema string) {
	pool, err := newPool(context.Background(), url)
	if err == nil {
		_, err = pgkv.Open(context.Background(), pool, pgkv.WithWitnesses(""), pgkv.WithSchema(schema))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestRaiseKilled: whoever is killed while a schema is raised, the server too, leaves it
// as it was or as it is to be, and older programs go on; and the next who opens it raises
// it.
func TestRaiseKilled(t *testing.T) {
	const schema = "raise_killed"
	for name, kill := range map[string]struct {
		strike func(t *testing.T, s *pgtest.Server, process *exec.Cmd)
		want   string // the version afterwards
	}{
		"the session of the server": {func(t *testing.T, s *pgtest.Server, process *exec.Cmd) {
			s.SQL(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%$raise$%' AND pid <> pg_backend_pid()")
			if err := process.Wait(); err == nil {
				t.Error("the process has raised it without its session")
			}
		}, "1"},
		"the process": {func(t *testing.T, s *pgtest.Server, process *exec.Cmd) {
			_ = process.Process.Kill()
			_ = process.Wait()
		}, fmt.Sprint(pgkv.SchemaVersion)}, // the server had all of the message
		"the server": {func(t *testing.T, s *pgtest.Server, process *exec.Cmd) {
			s.Stop(syscall.SIGQUIT)
			if err := process.Wait(); err == nil {
				t.Error("the process has raised it without its server")
			}
			s.Begin(t)
		}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pgtest.Start(t)
			makeOlder(t, s, "1-first", schema)
			before := olderProgram(t, s, schema, 1).Store("s")
			version := mustCommit(t, before, put(0, "a", "1"))

			// The last thing that the script does waits for this.
			holder := s.Connect(t)
			defer holder.Close(context.Background())
			if _, err := holder.Exec(t.Context(), "BEGIN; SELECT FROM "+schema+".meta FOR UPDATE"); err != nil {
				t.Fatal(err)
			}
			process := exec.Command(os.Args[0])
			process.Env = append(os.Environ(), raiseEnv+"="+schema, urlEnv+"="+s.URL(pgtest.Superuser, "postgres"))
			if err := process.Start(); err != nil {
				t.Fatal(err)
			}
			s.Await(t, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%$raise$%' AND pid <> pg_backend_pid())")
			version = mustCommit(t, before, put(version, "a", "2", kv.Read{Key: "a", Version: version})) // it holds up nobody
			kill.strike(t, s, process)
			_ = holder.Close(t.Context())
			s.Await(t, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%$raise$%' AND state <> 'idle' AND pid <> pg_backend_pid())")
			if got := versionOf(t, s, schema); got != kill.want {
				t.Errorf("it has version %s, want %s", got, kill.want)
			}
			version = commitConnected(t, before, put(version, "a", "3", kv.Read{Key: "a", Version: version}))
			after := openOn(t, s, pgkv.WithSchema(schema))
			if got := versionOf(t, s, schema); got != fmt.Sprint(pgkv.SchemaVersion) {
				t.Errorf("it has version %s after the next has opened it, want %d", got, pgkv.SchemaVersion)
			}
			if got := read(t, after.Store("s"), "a"); string(got.Value) != "3" || got.Version != version {
				t.Errorf("what older programs have committed is %+v, want 3 at %d", got, version)
			}
			if err := everything(t, after); err != nil {
				t.Error(err)
			}
		})
	}
}

// commitConnected commits. Who finds that the connection was lost has sent nothing, and
// does so again with another, of which there are as many as a pool has.
func commitConnected(t *testing.T, s kv.Store, b *kv.Batch) kv.Version {
	t.Helper()
	for {
		version, err := s.Commit(t.Context(), b)
		if errors.Is(err, kv.ErrUnavailable) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return version
	}
}
