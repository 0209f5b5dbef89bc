package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/bench/result"
)

func of(rows ...result.Row) result.Result {
	return result.Result{Format: result.Format, Rows: rows, Machine: result.Machine{Noise: result.Noise{CPU: 0.02, Sync: 0.05}}}
}

// TestCompare: runs that differ by so much are so.
func TestCompare(t *testing.T) {
	base := runs(100, 101, 102, 103, 104, 105)
	for name, c := range map[string]struct {
		runs []result.Run
		want Finding
		why  string
	}{
		"slower":       {runs(150, 151, 152, 153, 154, 155), Slower, ""},
		"faster":       {runs(50, 51, 52, 53, 54, 55), Faster, ""},
		"the same":     {runs(105, 104, 103, 102, 101, 100), Noise, "chance does as much"},
		"wide":         {runs(60, 90, 100, 120, 130, 300), Noise, "chance does as much"},
		"less than 5%": {runs(106, 106, 106, 106, 107, 107), Noise, "the machine itself varies by 5%"},
		"too few":      {runs(900), TooFew, "6 and 1 runs cannot tell"},
	} {
		changes := Compare(of(ours("none", "badger", base)), of(ours("none", "badger", c.runs)))
		if len(changes) != 2 || changes[0].What != "time" || changes[1].What != "CPU" {
			t.Fatalf("%s: %+v", name, changes)
		}
		if changes[0].Finding != c.want || changes[0].Because != c.why {
			t.Errorf("%s: %s because %q, want %s because %q", name, changes[0].Finding, changes[0].Because, c.want, c.why)
		}
	}
}

// TestCompareCPUNoise: CPU is under the noise of computing only, so that the
// same 3.4 percent are a change there.
func TestCompareCPUNoise(t *testing.T) {
	old, new := ours("none", "badger", runs(100, 101, 102, 103, 104, 105)), ours("none", "badger", runs(106, 106, 106, 106, 107, 107))
	if c := Compare(of(old), of(new))[1]; c.Finding != Slower {
		t.Errorf("%s because %q", c.Finding, c.Because)
	}
}

// TestSmallestP: three against three can never be below 0.05, four against four
// can.
func TestSmallestP(t *testing.T) {
	for _, c := range []struct {
		m, n int
		want string
	}{{3, 3, "0.100"}, {4, 4, "0.0286"}, {1, 39, "0.0500"}} {
		if got := known(smallestP(c.m, c.n)); got != c.want {
			t.Errorf("%d and %d: %s, want %s", c.m, c.n, got, c.want)
		}
	}
}

// TestCompareRows that are not in both, or break.
func TestCompareRows(t *testing.T) {
	there, broken := ours("none", "badger", runs(1, 2, 3)), ours("none", "badger", runs(1, 2, 3))
	broken.Wrong.Wedged = 2
	missing := result.Row{Workload: result.Decrypt, Params: there.Params, System: pawlSystem, Design: "none", Engine: "badger", Missing: "not built"}
	for name, c := range map[string]struct {
		old, new result.Result
		want     []Change // findings only
	}{
		"added":          {of(), of(there), []Change{{What: "row", Finding: Added}}},
		"gone":           {of(there), of(), []Change{{What: "row", Finding: Removed}}},
		"became missing": {of(there), of(missing), []Change{{What: "row", Finding: Removed, Because: "not built"}}},
		"was missing":    {of(missing), of(there), []Change{{What: "row", Finding: Added, Because: "not built"}}},
		"never there":    {of(missing), of(missing), nil},
		"missing gone":   {of(missing), of(), nil},
		"broken":         {of(there), of(broken), []Change{{What: "time", Finding: TooFew}, {What: "CPU", Finding: TooFew}, {What: "wrong", Finding: Broken, Because: "2 wedged"}}},
		"mended":         {of(broken), of(there), []Change{{What: "time", Finding: TooFew}, {What: "CPU", Finding: TooFew}, {What: "wrong", Finding: Mended, Because: "was: 2 wedged"}}},
	} {
		got := Compare(c.old, c.new)
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		for i, w := range c.want {
			if got[i].What != w.What || got[i].Finding != w.Finding || w.Because != "" && got[i].Because != w.Because {
				t.Errorf("%s: %s %s because %q", name, got[i].What, got[i].Finding, got[i].Because)
			}
		}
	}
}

// TestWriteComparison: what an eye looks for is there.
func TestWriteComparison(t *testing.T) {
	old, new := madeUp(), madeUp()
	for i := range new.Rows[0].Runs {
		new.Rows[0].Runs[i].Took *= 2
	}
	new.Machine.Cores = 2
	new.Versions[0].Version = "1.27.0"
	var b bytes.Buffer
	if err := WriteComparison(&b, old, new); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Figures compared: 1 slower, 203 noise.", // a message's CPU stayed
		"  cores: 8, then 2\n  go: 1.26.0, then 1.27.0\n",
		"Pawl, no cache, memory                time  94.5 µs   189 µs  +100.0%  0.001  slower\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%.1500s", want, &b)
		}
	}
}
