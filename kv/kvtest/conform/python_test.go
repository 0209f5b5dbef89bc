//go:build unix

package conform_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv/kvtest/conform"
)

// What a process of this test is told to be: the suite for a flawed store.
const (
	flawEnv  = "PAWL_CONFORM_FLAW"
	checkEnv = "PAWL_CONFORM_CHECK"
)

func TestMain(m *testing.M) {
	if check := os.Getenv(checkEnv); check != "" {
		s := python(os.Getenv(flawEnv))
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

func python(flaw string) conform.Suite {
	path, _ := interpreter() // needsPython has looked
	s := conform.Suite{Program: []string{path, script}}
	if flaw != "" {
		s.Program = append(s.Program, "--flaw", flaw)
	}
	return s
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
	python("").All(t)
}

// foundBy has, for each flaw of the store in Python, the check that is there to find it. The
// flaws are those of kvtest/broken, in its words.
var foundBy = map[string]string{
	"reads are not checked":                           "store/isolation/lost-update",
	"of a scan only what it yielded is checked":       "store/isolation/phantom-insert",
	"conflicts name nothing":                          "store/commit/conflict-names-keys",
	"a deleted key reads as an empty entry":           "store/isolation/deleted-reads-absent",
	"a refused batch writes its first key":            "store/isolation/refused-writes-nothing",
	"no commit ID is remembered":                      "store/commit-id/applied-once",
	"an ID that was dropped counts as new":            "store/commit-id/expired",
	"refused batches count as applied":                "store/commit-id/refused",
	"commit IDs are gone after opening again":         "reopened/reopen/commit-ids",
	"each call reads the latest state":                "store/isolation/non-repeatable-read",
	"closed views go on":                              "store/snapshot/closed",
	"a key asked for twice comes once":                "store/snapshot/get-order",
	"deletions are not told":                          "store/watch/wakes",
	"a watch tells of all keys":                       "store/watch/prefix",
	"a watch begins with what comes next":             "store/watch/from-a-version",
	"commits do not wait for turns":                   "store/turn/commit-waits",
	"turns do not expire":                             "store/turn/commit-outlasts-it",
	"who asked last is granted first":                 "store/turn/order",
	"batches of any size are taken":                   "store/limit/writes",
	"keys of any length, written any number of times": "store/limit/keys",
	"commits go on after close":                       "store/close/calls-after",
	"contexts are not looked at":                      "store/cancel/before",
}

// TestPythonFlaws: whatever the store leaves out, the check that is named after it
// fails, and the suite ends with 1.
func TestPythonFlaws(t *testing.T) {
	needsPython(t)
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "FLAWS = [")
	list, _, _ = strings.Cut(list, "]")
	flaws := regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(list, -1)
	if len(flaws) != len(foundBy) || len(flaws) < 12 {
		t.Errorf("the store has %d flaws, this test knows %d", len(flaws), len(foundBy))
	}
	for _, flaw := range flaws {
		t.Run(strings.ReplaceAll(flaw[1], " ", "-"), func(t *testing.T) {
			check := foundBy[flaw[1]]
			code, said := judge(t, flaw[1], check)
			if code != 1 || !strings.Contains(said, "--- FAIL: "+check+" ") {
				t.Errorf("%s: the suite ends with %d:\n%s", check, code, said)
			}
		})
	}
}

// TestReport: the suite reports as go test does.
func TestReport(t *testing.T) {
	needsPython(t)
	if code, said := judge(t, "", "store/isolation/lost-update$"); code != 0 || said != "PASS\n" {
		t.Errorf("a store that passes: %d, %q", code, said)
	}
}

// judge runs the suite as a process, and returns its exit status and what it says.
func judge(t *testing.T, flaw, check string) (int, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), flawEnv+"="+flaw, checkEnv+"="+check)
	said, _ := c.CombinedOutput()
	return c.ProcessState.ExitCode(), string(said)
}
