package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// The bot in the examples of package mautrix: with Pawl, of whose kind the rest is the
// engine, and with mautrix-go's own cryptohelper.
const (
	exampleKind = "pawl-mautrix-"
	stockKind   = "stock"
)

// Each is built once in a run.
var (
	example = built("goolm", "example")
	stock   = built("goolm,cryptohelper", "stock")
)

// builds is where they are.
var builds = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "bots") })

func removeBuilt() {
	if dir, err := builds(); err == nil {
		_ = os.RemoveAll(dir)
	}
}

func built(tags, name string) func(*testing.T) string { return builtFrom(tags, name, "./examples/bot") }

func builtFrom(tags, name, of string) func(*testing.T) string {
	build := sync.OnceValues(func() (string, error) {
		dir, err := builds()
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, name)
		cmd := exec.Command("go", "build", "-tags", tags, "-o", path, of)
		cmd.Dir = filepath.Join("..", "..", "..", "mautrix")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		return path, cmd.Run()
	})
	return func(t *testing.T) string {
		t.Helper()
		path, err := build()
		if err != nil {
			t.Fatalf("the bot cannot be built: %v", err)
		}
		return path
	}
}
