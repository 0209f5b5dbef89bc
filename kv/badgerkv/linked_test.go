package badgerkv

import (
	"context"
	"errors"
	"log/slog"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// TestProvenVersions says that the engine is proven with what go.mod names.
func TestProvenVersions(t *testing.T) {
	for module := range proven {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", module).CombinedOutput()
		if err != nil {
			t.Fatalf("go list: %v\n%s", err, out)
		}
		version := strings.TrimSpace(string(out))
		if found := proven.Look(program(module, version)); len(found.Unproven) != 0 {
			t.Errorf("go.mod names %s: prove it (make upstream) and add it to proven.txt", found.Unproven)
		}
	}
}

func TestCheckLinked(t *testing.T) {
	const module = "github.com/dgraph-io/badger/v4"
	var logged logging
	set := defaults()
	WithLogger(slog.New(&logged))(&set)

	err := checkLinked(&set, program(module, "v4.999.0"))
	if !errors.Is(err, ErrUnproven) || !strings.Contains(err.Error(), `badgerkv.WithUnproven("`+module+` v4.999.0")`) {
		t.Errorf("with another Badger: %v, want ErrUnproven and the option", err)
	}
	if len(logged.messages) != 0 {
		t.Errorf("a refusal is logged: %q", logged.messages)
	}
	WithUnproven(module + " v4.999.0")(&set)
	if err := checkLinked(&set, program(module, "v4.999.0")); err != nil {
		t.Errorf("with another Badger that was accepted: %v", err)
	}
	if err := checkLinked(&set, program(module, "v4.999.1")); !errors.Is(err, ErrUnproven) {
		t.Errorf("with the one after that which was accepted: %v, want ErrUnproven", err)
	}
	if err := checkLinked(&set, nil); err != nil {
		t.Errorf("without build information: %v", err)
	}
	want := []string{"goes on with what is not proven",
		"the program does not say in which versions it was built with what the store rests on",
		"the program does not say in which versions it was built with what the store rests on"}
	if !slices.Equal(logged.messages, want) {
		t.Errorf("logged %q, want %q", logged.messages, want)
	}
}

// logging keeps the messages of warnings.
type logging struct {
	slog.Handler
	messages []string
}

func (*logging) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (l *logging) Handle(_ context.Context, r slog.Record) error {
	l.messages = append(l.messages, r.Message)
	return nil
}

func program(module, version string) *debug.BuildInfo {
	return &debug.BuildInfo{Deps: []*debug.Module{{Path: module, Version: version}}}
}
