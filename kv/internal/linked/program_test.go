package linked_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestProgram builds somebody's program, with the modules that go.mod names and
// with others in their place.
func TestProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Badger again")
	}
	modules := map[string]string{
		"badger": "github.com/dgraph-io/badger/v4",
		"sqlite": "github.com/ncruces/go-sqlite3",
	}
	proven, raised := build(t, ""), build(t, replaced(t, modules))
	for engine, module := range modules {
		path := filepath.Join(t.TempDir(), "store")
		if out := run(proven, engine, path); out != "opened\n" {
			t.Errorf("%s as proven: %s", engine, out)
		}
		path += ".other"
		version := fmt.Sprintf("%s %s => %s (devel)", module, goList(t, "{{.Version}}", module), goList(t, "{{.Dir}}", module))
		option := fmt.Sprintf("%skv.WithUnproven(%q)\nexit status 1", engine, version)
		if out := run(raised, engine, path); !strings.HasSuffix(out, option) {
			t.Errorf("%s in another version: %s, want an error that ends in %s", engine, out, option)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was touched before it was refused: %v", engine, err)
		}
		out := run(raised, engine, path, version)
		if !strings.Contains(out, `"msg":"goes on with what is not proven"`) || !strings.HasSuffix(out, "opened\n") {
			t.Errorf("%s in a version that was accepted: %s", engine, out)
		}
	}
}

// replaced returns a go.mod that takes modules from folders.
func replaced(t *testing.T, modules map[string]string) string {
	t.Helper()
	top := filepath.Dir(goTool(t, "env", "GOMOD"))
	file := filepath.Join(t.TempDir(), "go.mod")
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(top, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(filepath.Dir(file), name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, module := range modules {
		goTool(t, "mod", "edit", "-replace", module+"="+goList(t, "{{.Dir}}", module), file)
	}
	return file
}

func build(t *testing.T, modfile string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "opens")
	goTool(t, "build", "-mod=mod", "-modfile="+modfile, "-o", program, "./testdata/opens")
	return program
}

// run returns what a program says, and how it ended if it failed.
func run(program string, args ...string) string {
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return string(out) + err.Error()
	}
	return string(out)
}

func goList(t *testing.T, format, module string) string {
	t.Helper()
	return goTool(t, "list", "-m", "-f", format, module)
}

func goTool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}
