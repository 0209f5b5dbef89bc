package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pawlkv/pawl/bench/result"
)

// logVariable makes this test binary a peer program, named after the link that
// it is started by, that notes its runs in a file.
const logVariable = "PAWL_PEER_TEST_LOG"

func TestMain(m *testing.M) {
	if log := os.Getenv(logVariable); log != "" {
		if err := program(filepath.Base(os.Args[0]), log); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func program(name, log string) error {
	row := result.Row{Workload: WorkloadDecrypt, Params: result.Params{Batch: 1}, System: name, Durable: "everything"}
	other := result.Row{Workload: WorkloadOpen, Params: result.Params{Peers: Devices}, System: name}
	absent := result.Row{Workload: WorkloadShared, System: name, Missing: "it has no store"}
	benches := []Bench{
		{Entry{"decrypt", 100, row}, func(_ context.Context, t Task) (Outcome, error) { return pretend(name, log, t) }},
		{Entry{"open", 7, other}, func(_ context.Context, t Task) (Outcome, error) { return pretend(name, log, t) }},
		{Entry{ID: "shared", Row: absent}, nil},
	}
	versions := []result.Version{{Name: "Go", Version: "1"}, {Name: name, Version: "2"}}
	switch name {
	case "garbled":
		fmt.Println(`{"protocol":1,"colour":"red"}`)
		return nil
	case "newer":
		fmt.Println(`{"protocol":2}`)
		return nil
	}
	return Serve(context.Background(), os.Stdout, os.Args[1:], versions, benches)
}

// pretend notes the run and returns figures that depend on how many there were.
func pretend(name, log string, t Task) (Outcome, error) {
	if name == "broken" {
		return Outcome{}, errors.New("first this\nthe disk is on fire")
	}
	if _, err := LoadFeed(t.Feed, t.Messages); err != nil {
		return Outcome{}, err
	}
	if left, err := os.ReadDir(t.Dir); err != nil || len(left) != 0 {
		return Outcome{}, fmt.Errorf("directory holds %v: %v", left, err)
	}
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return Outcome{}, err
	}
	fmt.Fprintln(f, name, t.ID)
	before, err := os.ReadFile(log)
	if err != nil {
		return Outcome{}, err
	}
	n := time.Duration(len(before))
	return Outcome{
		Run:      result.Run{Messages: t.Messages, Took: n, CPU: n},
		Calls:    []time.Duration{n, 2 * n},
		Cost:     result.Cost{CPU: n, Syncs: Unknown},
		Resident: int64(n),
		Wrong:    result.Wrong{Lost: 1},
		Notes:    []string{"made up"},
	}, f.Close()
}

// programs makes programs with these names, and returns the file that they note
// their runs in.
func programs(t *testing.T, names ...string) (dir, log string) {
	t.Helper()
	dir = t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	log = filepath.Join(t.TempDir(), "log")
	t.Setenv(logVariable, log)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // a second for each run otherwise
	return dir, log
}
