package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/matrix"
)

// engines are the places of stores in tests, one for each engine.
var engines = []string{"phone", "sqlite:phone.db"}

// result is how a process ended.
type result struct {
	ok             bool
	stdout, stderr bytes.Buffer
}

// atOnce runs pawl with each of the arguments, all at the same time.
func atOnce(t *testing.T, env []string, args ...[]string) []*result {
	t.Helper()
	return startAll(t, env, nil, args...)
}

// atOnceFrom is atOnce with a standard input for each.
func atOnceFrom(t *testing.T, stdins [][]byte, args ...[]string) []*result {
	t.Helper()
	return startAll(t, nil, stdins, args...)
}

func startAll(t *testing.T, env []string, stdins [][]byte, args ...[]string) []*result {
	t.Helper()
	results := make([]*result, len(args))
	var all sync.WaitGroup
	for i, a := range args {
		r := new(result)
		results[i] = r
		cmd := exec.Command("pawl", a...)
		cmd.Env = append(cmd.Environ(), env...)
		cmd.Stdout, cmd.Stderr = &r.stdout, &r.stderr
		if stdins != nil {
			cmd.Stdin = bytes.NewReader(stdins[i])
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all.Go(func() { r.ok = cmd.Wait() == nil })
	}
	all.Wait()
	return results
}

func eachEngine(t *testing.T, rounds int, fn func(t *testing.T, store string)) {
	for _, store := range engines {
		for i := range rounds {
			t.Run(fmt.Sprint(store, "/", i), func(t *testing.T) {
				t.Chdir(t.TempDir())
				fn(t, store)
			})
		}
	}
}

// inspected returns the accounts of a store, by device.
func inspected(t *testing.T, env []string, store string) map[matrix.DeviceID]accountJSON {
	t.Helper()
	r := atOnce(t, env, []string{"inspect", store, "--json"})[0]
	if !r.ok {
		t.Fatalf("the store does not open: %s", &r.stderr)
	}
	var seen struct{ Accounts []accountJSON }
	if err := json.Unmarshal(r.stdout.Bytes(), &seen); err != nil {
		t.Fatal(err)
	}
	accounts := map[matrix.DeviceID]accountJSON{}
	for _, a := range seen.Accounts {
		accounts[a.Device] = a
	}
	return accounts
}

func initArgs(store string, n int) (args [][]string) {
	for i := range n {
		args = append(args, []string{"init", store, "--user", "@alice:example.org", "--device", fmt.Sprint("D", i)})
	}
	return args
}

// rounds is how often what happens at once is tried, on each engine.
const rounds = 3

// TestInitsAtOnce: commands that make one store at the same time all succeed,
// the store opens with its key file, and has the accounts that they printed.
func TestInitsAtOnce(t *testing.T) {
	eachEngine(t, rounds, func(t *testing.T, store string) {
		results := atOnce(t, nil, initArgs(store, 4)...)
		accounts := inspected(t, nil, store)
		for i, r := range results {
			if !r.ok {
				t.Errorf("init %d failed: %s", i, &r.stderr)
				continue
			}
			expectAccount(t, accounts, r)
		}
		if files := keyFiles(t, store); len(files) != 2 { // the key and the lock
			t.Errorf("files %q", files)
		}
	})
}

func expectAccount(t *testing.T, accounts map[matrix.DeviceID]accountJSON, r *result) {
	t.Helper()
	var made accountJSON
	if err := json.Unmarshal(r.stdout.Bytes(), &made); err != nil {
		t.Fatal(err)
	}
	if accounts[made.Device] != made {
		t.Errorf("it printed %v, and the store has %v", made, accounts[made.Device])
	}
}

func keyFiles(t *testing.T, store string) []string {
	t.Helper()
	p, err := parsePlace(store)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(p.keyFile() + "*")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestInitsAtOnceDisagree: some give a passphrase and some do not. Those of one
// kind succeed, and what they made opens.
func TestInitsAtOnceDisagree(t *testing.T) {
	effort.Processes(t)
	eachEngine(t, rounds, func(t *testing.T, store string) {
		secret := write(t, "secret", "correct horse\n")
		args := initArgs(store, 4)
		for i := range 2 {
			args[2*i] = append(args[2*i], "--passphrase-file", secret)
		}
		results := atOnce(t, nil, args...)
		kind := 0
		if !results[0].ok {
			kind = 1
		}
		var env []string
		if kind == 0 {
			env = []string{passphraseEnv + "=correct horse"}
		}
		accounts := inspected(t, env, store)
		for i, r := range results {
			if r.ok != (i%2 == kind) {
				t.Errorf("init %d: %v %s", i, r.ok, &r.stderr)
			}
			if r.ok {
				expectAccount(t, accounts, r)
			}
		}
		want := 2 * kind // the key, if that was it, and one more for the lock
		if files := keyFiles(t, store); len(files) != max(want, 1) {
			t.Errorf("files %q", files)
		}
	})
}

// TestPasswdsAtOnce: of commands that change the one passphrase or key at the
// same time one succeeds, and what it said is true.
func TestPasswdsAtOnce(t *testing.T) {
	effort.Processes(t)
	eachEngine(t, rounds, func(t *testing.T, store string) {
		run(t, initArgs(store, 1)[0]...)
		before := inspected(t, nil, store)
		first, second := write(t, "first", "correct horse\n"), write(t, "second", "battery\n")

		won := oneOf(t, atOnce(t, nil,
			[]string{"passwd", store, "--new-passphrase-file", first},
			[]string{"passwd", store, "--new-passphrase-file", second},
			[]string{"passwd", store, "--new-passphrase-file", second}))
		env := []string{passphraseEnv + "=" + []string{"correct horse", "battery", "battery"}[won]}
		expectSame(t, before, inspected(t, env, store))

		oneOf(t, atOnce(t, env,
			[]string{"passwd", store, "--remove"}, []string{"passwd", store, "--remove"}, []string{"passwd", store, "--remove"}))
		expectSame(t, before, inspected(t, nil, store))
		if files := keyFiles(t, store); len(files) != 2 {
			t.Errorf("files %q", files)
		}
	})
}

// TestPasswdsAtOnceDisagree: one removes the passphrase and others change it.
func TestPasswdsAtOnceDisagree(t *testing.T) {
	effort.Processes(t)
	eachEngine(t, rounds, func(t *testing.T, store string) {
		env := []string{passphraseEnv + "=correct horse"}
		if r := atOnce(t, env, initArgs(store, 1)...)[0]; !r.ok {
			t.Fatal(&r.stderr)
		}
		before, second := inspected(t, env, store), write(t, "second", "battery\n")
		won := oneOf(t, atOnce(t, env,
			[]string{"passwd", store, "--remove"}, []string{"passwd", store, "--new-passphrase-file", second}, []string{"passwd", store, "--remove"}))
		env = nil
		if won == 1 {
			env = []string{passphraseEnv + "=battery"}
		}
		expectSame(t, before, inspected(t, env, store))
	})
}

// oneOf returns which of the processes succeeded, which must be one.
func oneOf(t *testing.T, results []*result) int {
	t.Helper()
	won := -1
	for i, r := range results {
		if r.ok && won >= 0 {
			t.Fatalf("both %d and %d succeeded", won, i)
		}
		if r.ok {
			won = i
		}
	}
	if won < 0 {
		t.Fatalf("none succeeded: %s", &results[0].stderr)
	}
	return won
}

func expectSame(t *testing.T, before, after map[matrix.DeviceID]accountJSON) {
	t.Helper()
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Fatalf("accounts %v, before %v", after, before)
	}
}

// write makes a file in the current directory and returns its name.
func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestReportsAtOnce: commands that tell at the same time what became of bodies
// tell it of their own, and of none that is under way.
func TestReportsAtOnce(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, store string) {
		run(t, initArgs(store, 1)[0]...)
		make := []string{"keys", store, "--count", "3"}
		bodies := atOnce(t, nil, make, make, make, make)
		published, unknown := []string{"keys", store, "--published"}, []string{"keys", store, "--unknown"}
		results := atOnceFrom(t, [][]byte{bodies[0].stdout.Bytes(), bodies[1].stdout.Bytes(), bodies[2].stdout.Bytes(), nil},
			published, published, unknown, make)
		for i, r := range append(bodies, results...) {
			if !r.ok {
				t.Errorf("command %d: %s", i, &r.stderr)
			}
		}
		out := string(stdoutOf(t, "inspect", store))
		if want := "6 offered, 6 published, 3 abandoned, 0 used"; !strings.Contains(out, want) {
			t.Errorf("want %s: %s", want, out)
		}
	})
}
