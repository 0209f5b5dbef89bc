package sqlitekv

import (
	"errors"
	"os/exec"
	"runtime/debug"
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
	const module = "github.com/ncruces/go-sqlite3"
	set := defaults()
	err := checkLinked(&set, program(module, "v0.999.0"))
	if !errors.Is(err, ErrUnproven) || !strings.Contains(err.Error(), `sqlitekv.WithUnproven("`+module+` v0.999.0")`) {
		t.Errorf("with another driver: %v, want ErrUnproven and the option", err)
	}
	WithUnproven(module + " v0.999.0")(&set)
	if err := checkLinked(&set, program(module, "v0.999.0")); err != nil {
		t.Errorf("with another driver that was accepted: %v", err)
	}
	if err := checkLinked(&set, program(module, "v0.999.1")); !errors.Is(err, ErrUnproven) {
		t.Errorf("with the one after that which was accepted: %v, want ErrUnproven", err)
	}
}

func program(module, version string) *debug.BuildInfo {
	return &debug.BuildInfo{Deps: []*debug.Module{{Path: module, Version: version}}}
}
