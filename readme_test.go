package pawl_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv/badgerkv"
)

// TestREADMEExampleRuns builds and runs the Go program in README.md.
func TestREADMEExampleRuns(t *testing.T) {
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
	cmd := exec.Command(binary)
	cmd.Dir = dir
	out, err := cmd.Output()
	if !badgerRuns {
		var failed *exec.ExitError
		if !errors.As(err, &failed) || !strings.Contains(string(failed.Stderr), badgerkv.Err32Bit.Error()) {
			t.Errorf("the example on Badger ends with %v, want %v", err, badgerkv.Err32Bit)
		}
		return
	}
	if err != nil {
		t.Fatalf("the example fails: %v", err)
	}
	var body struct {
		DeviceKeys   map[string]any            `json:"device_keys"`
		OneTimeKeys  map[string]map[string]any `json:"one_time_keys"`
		FallbackKeys map[string]map[string]any `json:"fallback_keys"`
	}
	if err := json.Unmarshal(out, &body); err != nil {
		t.Fatalf("the example prints no upload body: %v\n%s", err, out)
	}
	if len(body.DeviceKeys) == 0 || len(body.OneTimeKeys) != 50 || len(body.FallbackKeys) != 1 {
		t.Errorf("the example's body has %d device keys, %d one-time keys, %d fallback keys; want some, 50, 1",
			len(body.DeviceKeys), len(body.OneTimeKeys), len(body.FallbackKeys))
	}
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
