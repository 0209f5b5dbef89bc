package web

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built are the programs that were built, each once, and those that are served for them.
var built struct {
	sync.Mutex
	dir    string
	files  map[string]string // by how they were built
	served map[string]string // by the file that was built
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

// served is a program as it is shipped: without what web/dev/strip.mjs takes out, where there
// is Node.
func served(t testing.TB, file string) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		if os.Getenv("PAWL_WEB") == "1" {
			t.Fatalf("PAWL_WEB=1 requires Node 20: %v", err)
		}
		return file
	}
	built.Lock()
	defer built.Unlock()
	if less, known := built.served[file]; known {
		return less
	}
	less := filepath.Join(built.dir, fmt.Sprintf("served-%d.wasm", len(built.served)))
	if said, err := exec.Command("node", devTools+"/strip.mjs", file, less).CombinedOutput(); err != nil {
		t.Fatalf("strip %s: %v\n%s", file, err, said)
	}
	built.served[file] = less
	return less
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
	built.files, built.served = make(map[string]string), make(map[string]string)
	return m.Run()
}
