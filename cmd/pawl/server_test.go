//go:build linux || darwin

package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// TestServerScripts runs testdata/server: what a user types whose store is in a
// server. STORE is its URL up to the name of the space.
//
// SECRET is likewise the URL of a user whom the server asks for a password.
func TestServerScripts(t *testing.T) {
	dir, err := os.MkdirTemp("", "pawl-") // which the server's user can read
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	hba := filepath.Join(dir, "hba")
	rules := "local all " + pgtest.Superuser + " trust\nlocal all all scram-sha-256\n"
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(hba, []byte(rules), 0o644)); err != nil {
		t.Fatal(err)
	}
	server := pgtest.Start(t, "hba_file="+hba)
	server.SQL(t, "CREATE ROLE bob LOGIN PASSWORD 's3cret'", "GRANT CREATE ON DATABASE postgres TO bob")
	testscript.Run(t, testscript.Params{
		Files: serverScripts(t, "testdata/server"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir+"/config")
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("STORE", server.URL(pgtest.Superuser, "postgres")+"&space=")
			env.Setenv("SECRET", server.URL("bob", "postgres")+"&schema=bobs&space=")
			return writeImport(t, env.WorkDir)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": cmdExits, "jsonget": cmdJSONGet, "roomkeys": cmdRoomKeys},
	})
}

// serverScripts are those of one server, and those that hold with each, at STORE.
func serverScripts(t *testing.T, dir string) (all []string) {
	t.Helper()
	for _, dir := range []string{dir, "testdata/anyserver"} {
		scripts, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
		if err != nil || len(scripts) == 0 {
			t.Fatalf("no scripts in %s: %v", dir, err)
		}
		all = append(all, scripts...)
	}
	return all
}

// writeImport writes what is imported in them: a list of libolm's pickles, and their key.
func writeImport(t *testing.T, dir string) error {
	t.Helper()
	l := lifeOf(t, "libolm", "libolm.json")
	list, err := json.Marshal(listOf(l))
	return errors.Join(err,
		os.WriteFile(filepath.Join(dir, "list.json"), list, 0o600),
		os.WriteFile(filepath.Join(dir, "key"), append([]byte(l.Key), '\n'), 0o600))
}

// TestOneSpace: a URL that says twice where the store is names none.
func TestOneSpace(t *testing.T) {
	for _, url := range []string{
		"postgres://host/db?space=a&space=b", "postgres://host/db?space=a&schema=b&schema=c", "postgres://host/db?space=a&host=b&host=c",
		"etcd://host/s?tls=true&tls=false",
	} {
		if p, err := parsePlace(url); err == nil {
			t.Errorf("%s is taken as %s", url, p)
		}
	}
}

// TestNoPasswordIsShown: no form of a URL with a password is taken, and no error
// repeats it.
func TestNoPasswordIsShown(t *testing.T) {
	for _, url := range []string{
		"postgres://bob:s3cret@host/db?space=s", "postgresql://:s3cret@host/db?space=s", "postgres://host/db?space=s&password=s3cret",
		"postgres://bob:s3cret@host:port/db", "postgres://bob:s3%cret@host/db", "postgres:bob:s3cret@host", "postgres://bob:s3cret@[host/db",
		"postgres://host/db?space=s&sslpassword=s3cret", "postgres://host/db?space=s;password=s3cret",
		"postgres://host/db?space=s&sslmode=s3cret",
		"etcd://bob:s3cret@host/s", "etcd://:s3cret@host/s", "etcd://bob@host/s?password=s3cret", "etcd://bob:s3cret@host:port/s",
		"etcd://bob:s3%cret@host/s", "etcd:bob:s3cret@host/s", "etcd://bob:s3cret@host", "etcd://bob:s3cret@h1,h2/s", "etcd://bob:s3/cret@host/s",
		"POSTGRES://bob:s3cret@host/db?space=s", "Etcd://bob:s3cret@host/s", "postgress://bob:s3cret@host/db?space=s", "etcds://bob:s3cret@host/s",
		"mysql://bob:s3cret@host/db", "sqlite:postgres://bob:s3cret@host/db", "host=host password=s3cret", "file:s3cret.db", "sqlite:file:s3cret.db",
		"etcd://bob%3As3cret@host/s", "etcd://bob@host:s3cret/s", "etcd://host/s?tls=s3cret", "etcd://host/s?s3cret=1", "etcd://host/s#s3cret",
	} {
		p, err := parsePlace(url)
		if err == nil {
			t.Errorf("%s is taken as %s", url, p)
			continue
		}
		if strings.Contains(err.Error(), "s3") || strings.Contains(err.Error(), "cret") {
			t.Errorf("%s: the error repeats it: %v", url, err)
		}
	}
}
