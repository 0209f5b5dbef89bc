package pawl_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/internal/proof/story"
)

// A failing schedule is replayed with
//
//	go test -run TestSchedules -story.seed=N .
//
// and more of them are tried, from another seed on, with
//
//	go test -run TestSchedules -story.schedules=1000000 -story.from=10001 .
var (
	storySeed = flag.Uint64("story.seed", 0, "run only the schedule with this seed")
	storyFrom = flag.Uint64("story.from", 1, "seed of the first schedule")
	storyMany = effort.Flag("story.schedules", schedules, 500, "number of schedules")
)

// storyFiles are the shrunk programs that failed once: on Pawl, where they must
// hold now, or on a design that is wrong on purpose, where they must not.
const storyFiles = "testdata/story"

// shrinkTries bounds the runs that shrinking takes.
const shrinkTries = 3000

// TestSchedules runs small random programs of several processes, with crashes
// and faults, one store call at a time.
func TestSchedules(t *testing.T) {
	if *storySeed != 0 {
		out := run(t, story.Generate(*storySeed), nil)
		t.Logf("\n%s", story.File{Program: out.Program, Design: "pawl"})
		report(t, out)
		return
	}
	var failed atomic.Bool
	eachSeed(*storyFrom, uint64(storyMany()), func(seed uint64) bool {
		out := run(t, story.Generate(seed), nil)
		if len(out.Violations) > 0 && !failed.Swap(true) {
			report(t, out)
		}
		return !failed.Load()
	})
}

// eachSeed calls f for n seeds on all processors until it returns false.
func eachSeed(from, n uint64, f func(seed uint64) bool) {
	var group sync.WaitGroup
	var next atomic.Uint64
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= n || !f(from+i) {
					return
				}
			}
		})
	}
	group.Wait()
}

// run runs a program on a design; nil is Pawl's own.
func run(t testing.TB, p story.Program, d story.Design) story.Outcome {
	t.Helper()
	out, err := story.Run(context.Background(), newMemory(), p, d, nil)
	if err != nil {
		t.Errorf("seed %d does not begin: %v", p.Seed, err)
	}
	return out
}

// report fails the test for a schedule that failed on Pawl, and keeps it, made
// small, for TestStoryFiles.
func report(t *testing.T, out story.Outcome) {
	t.Helper()
	if len(out.Violations) == 0 {
		return
	}
	small := shrink(t, out, nil)
	dir := storyFiles
	if os.Getenv("PAWL_MUTANT") != "" {
		dir = t.TempDir() // what breaks broken code is not worth keeping
	}
	path := filepath.Join(dir, fmt.Sprintf("pawl-%d.story", small.Program.Seed))
	file := story.File{Program: small.Program, Design: "pawl"}
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Error(err)
	}
	t.Errorf("the schedule with seed %d fails:\n%s\nsmall, in %s:\n%s\n%s",
		out.Program.Seed, out.Violations, path, file, small.Violations)
}

// shrink returns a smaller program whose first broken oracle is the same.
func shrink(t testing.TB, out story.Outcome, d story.Design) story.Outcome {
	t.Helper()
	want := out.Violations[0].Oracle
	small := story.Shrink(out.Program, shrinkTries, func(p story.Program) bool {
		return run(t, p, d).Violations.Has(want)
	})
	return run(t, small, d)
}

// TestStoryFiles replays the programs that are kept, on the design that each
// names and on Pawl.
func TestStoryFiles(t *testing.T) {
	paths, err := filepath.Glob(storyFiles + "/*.story")
	if err != nil || len(paths) < len(designs) {
		t.Fatalf("%d files in %s (error %v), want one for each of %d designs", len(paths), storyFiles, err, len(designs))
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) { replay(t, path) })
	}
}

func replay(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := story.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if file.Design != "pawl" {
		d, known := designs[file.Design]
		if !known || len(file.Expect) == 0 {
			t.Fatalf("design %q with %d oracles expected to fail", file.Design, len(file.Expect))
		}
		if broken := run(t, file.Program, d.design).Violations; !slices.Equal(broken.Oracles(), file.Expect) {
			t.Errorf("on design %q the oracles %v fail, want %v", file.Design, broken.Oracles(), file.Expect)
		}
	}
	if broken := run(t, file.Program, nil).Violations; len(broken) > 0 {
		t.Errorf("Pawl fails:\n%s", broken)
	}
}

// TestSchedulesReplay: the same program and decisions give the same run, also
// by way of the text form.
func TestSchedulesReplay(t *testing.T) {
	for seed := uint64(1); seed <= 50; seed++ {
		first := run(t, story.Generate(seed), story.Stale)
		text := story.File{Program: first.Program, Design: "stale"}.String()
		file, err := story.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		second := run(t, file.Program, story.Stale)
		if first.Violations.String() != second.Violations.String() {
			t.Errorf("seed %d: one run fails\n%s\nits replay\n%s", seed, first.Violations, second.Violations)
		}
		if again := (story.File{Program: second.Program, Design: "stale"}).String(); again != text {
			t.Errorf("seed %d: decisions\n%s\nreplayed as\n%s", seed, text, again)
		}
	}
}
