package web

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built are the programs that were built, each once.
var built struct {
	sync.Mutex
	dir   string
	files map[string]string // by how they were built
}

// Build builds a package for js/wasm, its tests if test is set, and returns the file.
func Build(t testing.TB, dir, pkg string, test bool) string {
	t.Helper()
	return BuildOver(t, dir, pkg, test, os.Getenv("PAWL_OVERLAY"))
}

// BuildOver is Build with other files in the place of some, as the go command's -overlay
// has them; "": with none.
func BuildOver(t testing.TB, dir, pkg string, test bool, overlay string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	how := fmt.Sprintf("%q", []any{dir, pkg, test, overlay})
	if file, known := built.files[how]; known {
		return file
	}
	args := []string{"build"}
	if test {
		args = []string{"test", "-c"}
	}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	file := filepath.Join(built.dir, fmt.Sprintf("%d.wasm", len(built.files)))
	cmd := exec.Command("go", append(args, "-o", file, pkg)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s for js/wasm [build failed]: %v\n%s", pkg, err, said) // which no mutant may
	}
	built.files[how] = file
	return file
}

// WithBuilds runs tests that build programs, and drops those, and the browser that tests
// had together, when they have ended.
func WithBuilds(m *testing.M) (code int) {
	var err error
	if built.dir, err = os.MkdirTemp("", "pawl-web"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(built.dir)
	defer quitShared()
	built.files = make(map[string]string)
	return m.Run()
}
