//go:build unix

package conform_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv/kvtest/conform"
)

// What a process of this test is told to be: the suite for a store, which may be flawed.
const (
	scriptEnv = "PAWL_CONFORM_SCRIPT"
	checkEnv  = "PAWL_CONFORM_CHECK"
)

func TestMain(m *testing.M) {
	if check := os.Getenv(checkEnv); check != "" {
		s := python(os.Getenv(scriptEnv))
		s.Checks, s.Patience = check, 2*time.Second
		s.Main()
	}
	os.Exit(m.Run())
}

// script is the store in Python that docs/port/conform.md shows.
const script = "../../../examples/python/store.py"

// interpreter is Python itself, where python3 on the path is a script that looks for
// it: it is started for every check.
var interpreter = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(out)), err
})

func python(script string) conform.Suite {
	path, _ := interpreter() // needsPython has looked
	return conform.Suite{Program: []string{path, script}}
}

// needsPython skips a test without Python 3; with PAWL_PYTHON=1 it fails.
func needsPython(t *testing.T) {
	t.Helper()
	if _, err := interpreter(); err != nil {
		if os.Getenv("PAWL_PYTHON") != "" {
			t.Fatal(err)
		}
		t.Skip("without python3 there is no store in Python")
	}
}

// TestPythonStore: a store in Python on sqlite3 passes the whole suite.
func TestPythonStore(t *testing.T) {
	needsPython(t)
	python(script).All(t)
}

// TestPythonFlaws: whatever the store leaves out, the check that is named after it
// fails, and the suite ends with 1.
func TestPythonFlaws(t *testing.T) {
	needsPython(t)
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	if len(flaws) < 12 {
		t.Errorf("the store has %d flaws", len(flaws))
	}
	for name, f := range flaws {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			flawed := string(text)
			for old, without := range f.without {
				if strings.Count(flawed, old) != 1 {
					t.Fatalf("%s has not once: %s", script, old)
				}
				flawed = strings.Replace(flawed, old, without, 1)
			}
			path := filepath.Join(t.TempDir(), "store.py")
			if err := os.WriteFile(path, []byte(flawed), 0o600); err != nil {
				t.Fatal(err)
			}
			code, said := judge(t, path, f.foundBy)
			if code != 1 || !strings.Contains(said, "--- FAIL: "+f.foundBy+" ") {
				t.Errorf("%s: the suite ends with %d:\n%s", f.foundBy, code, said)
			}
		})
	}
}

// TestReport: the suite reports as go test does.
func TestReport(t *testing.T) {
	needsPython(t)
	if code, said := judge(t, script, "store/isolation/lost-update$"); code != 0 || said != "PASS\n" {
		t.Errorf("a store that passes: %d, %q", code, said)
	}
}

// judge runs the suite as a process, and returns its exit status and what it says.
func judge(t *testing.T, path, check string) (int, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), scriptEnv+"="+path, checkEnv+"="+check)
	said, _ := c.CombinedOutput()
	return c.ProcessState.ExitCode(), string(said)
}
