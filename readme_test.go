package pawl_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// example is the Go program in README.md, built.
type example struct {
	t      *testing.T
	binary string
}

func buildExample(t *testing.T) example {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```go\n")
	program, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("README.md has no Go example")
	}
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "example")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return example{t, binary}
}

// upload is what the example prints.
type upload struct {
	DeviceKeys struct {
		Keys map[string]string `json:"keys"`
	} `json:"device_keys"`
	OneTimeKeys  map[string]map[string]any `json:"one_time_keys"`
	FallbackKeys map[string]map[string]any `json:"fallback_keys"`
}

// run runs the program in a directory. An error has what it said.
func (e example) run(dir string) (upload, error) {
	e.t.Helper()
	cmd := exec.Command(e.binary)
	cmd.Dir = dir
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return upload{}, fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	if err != nil {
		e.t.Fatal(err)
	}
	var body upload
	if err := json.Unmarshal(out, &body); err != nil {
		e.t.Fatalf("the example prints no upload body: %v\n%s", err, out)
	}
	return body, nil
}

// TestREADMEExampleRuns builds and runs the Go program in README.md, twice: the
// second time it finds what the first has made.
func TestREADMEExampleRuns(t *testing.T) {
	e, dir := buildExample(t), t.TempDir()
	first, err := e.run(dir)
	if !badgerRuns {
		if err == nil || !strings.Contains(err.Error(), badgerkv.Err32Bit.Error()) {
			t.Errorf("the example on Badger ends with %v, want %v", err, badgerkv.Err32Bit)
		}
		return
	}
	if err != nil {
		t.Fatalf("the example fails: %v", err)
	}
	if len(first.DeviceKeys.Keys) != 2 || len(first.OneTimeKeys) != 50 || len(first.FallbackKeys) != 1 {
		t.Errorf("the example's body has %d device keys, %d one-time keys, %d fallback keys; want 2, 50, 1",
			len(first.DeviceKeys.Keys), len(first.OneTimeKeys), len(first.FallbackKeys))
	}
	second, err := e.run(dir)
	if err != nil {
		t.Fatalf("the example fails the second time: %v", err)
	}
	if !maps.Equal(second.DeviceKeys.Keys, first.DeviceKeys.Keys) {
		t.Errorf("the device keys are %v, and were %v", second.DeviceKeys.Keys, first.DeviceKeys.Keys)
	}
	for id := range second.OneTimeKeys {
		if _, again := first.OneTimeKeys[id]; again {
			t.Errorf("one-time key %s is offered again", id)
		}
	}
}

// TestREADMEExampleCopied: a copy of the example's store sends nothing, whether
// the example goes on with it or another program, and decrypts; the original
// goes on.
func TestREADMEExampleCopied(t *testing.T) {
	if !badgerRuns {
		return
	}
	e, home, elsewhere := buildExample(t), t.TempDir(), t.TempDir()
	if _, err := e.run(home); err != nil {
		t.Fatal(err)
	}
	bob := newDevice(t, newMemory(), "@bob:example.org")
	atExample(t, home, func(alice *device) { alice.meet(bob) })
	copyDir(t, filepath.Join(elsewhere, exampleStore), filepath.Join(home, exampleStore))
	if _, err := e.run(elsewhere); err == nil || !strings.Contains(err.Error(), pawl.ErrNeedsRecovery.Error()) {
		t.Errorf("the example on a copy ends with %v, want %v", err, pawl.ErrNeedsRecovery)
	}
	atExample(t, elsewhere, func(alice *device) {
		alice.refusesToSend(bob, account.Copied)
		if got := alice.receive(bob, bob.send(alice, "are you there")); string(got.Plaintext) != "are you there" {
			t.Errorf("the copy reads %q", got.Plaintext)
		}
	})
	if _, err := e.run(home); err != nil {
		t.Errorf("the example on the original: %v", err)
	}
	atExample(t, home, func(alice *device) { bob.receive(alice, alice.send(bob, "here")) })
}

// exampleStore is where the example keeps its store.
const exampleStore = "alice.pawl"

// atExample opens the store that the example has made in a directory, with no
// more options than it, and calls f with its device.
func atExample(t *testing.T, dir string, f func(alice *device)) {
	t.Helper()
	engine, err := badgerkv.Open(filepath.Join(dir, exampleStore))
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	alice := &device{t: t, ctx: t.Context(), kv: engine}
	alice.store = openStore(t, engine, pawl.WithPassphrase([]byte("correct horse")))
	if alice.Machine, err = alice.store.Machine(t.Context(), "@alice:example.org", "PHONE"); err != nil {
		t.Fatal(err)
	}
	if alice.id, err = alice.Machine.Identity(t.Context()); err != nil {
		t.Fatal(err)
	}
	f(alice)
}

// TestREADMENamesWhatExists keeps file names in README.md true.
func TestREADMENamesWhatExists(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, reading, found := strings.Cut(string(readme), "## Reading the source")
	if !found {
		t.Fatal("README.md does not say where to begin reading")
	}
	named := 0
	for i, quoted := range strings.Split(reading, "`") {
		if i%2 == 0 || !strings.ContainsAny(quoted, "/.") {
			continue
		}
		named++
		if _, err := os.Stat(quoted); err != nil {
			t.Errorf("README.md names %s: %v", quoted, err)
		}
	}
	if named < 6 {
		t.Errorf("README.md names %d entry points, want 6 at least", named)
	}
}
