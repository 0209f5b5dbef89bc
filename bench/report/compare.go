package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"

	"github.com/pawlkv/pawl/bench/result"
)

// Change is what became of a row's figure.
type Change struct {
	Key      Key
	What     string  // "time", "CPU", "row", "wrong"
	Old, New float64 // medians, nanoseconds a message; zero unless both are there
	Test     benchmath.Comparison
	Finding  Finding
	Because  string // why it is noise, or what there is instead of figures
}

// Finding says whether a change is one.
type Finding string

// The findings.
const (
	Noise   Finding = "noise"   // it could as well be chance
	Faster  Finding = "faster"  //
	Slower  Finding = "slower"  //
	TooFew  Finding = "unknown" // more runs could tell
	Added   Finding = "new"     // only the new result has it
	Removed Finding = "gone"    // only the old one
	Broken  Finding = "broken"  // something goes wrong that did not
	Mended  Finding = "mended"
)

// compared are the figures that are tested, and the noise of the machine that
// each is under.
var compared = []struct {
	what  string
	of    Measure
	noise func(result.Noise) float64
}{
	{"time", TimePerMessage, func(n result.Noise) float64 { return max(n.CPU, n.Sync) }},
	{"CPU", CPUPerMessage, func(n result.Noise) float64 { return n.CPU }},
}

// Compare says row by row what changed from one result to another: a
// Mann-Whitney U test over the runs tells a change from chance, and what differs
// by less than the machine's own noise is none.
func Compare(old, new result.Result) []Change {
	var changes []Change
	for _, row := range new.Rows {
		before, found := find(old, KeyOf(row))
		changes = append(changes, compareRows(before, row, found, worse(old, new))...)
	}
	for _, row := range old.Rows {
		if _, found := find(new, KeyOf(row)); !found && row.Missing == "" {
			changes = append(changes, Change{Key: KeyOf(row), What: "row", Finding: Removed})
		}
	}
	return changes
}

func find(r result.Result, k Key) (result.Row, bool) {
	i := slices.IndexFunc(r.Rows, func(row result.Row) bool { return KeyOf(row) == k })
	if i < 0 {
		return result.Row{}, false
	}
	return r.Rows[i], true
}

// worse is the noise of the less quiet of the two.
func worse(old, new result.Result) result.Noise {
	a, b := old.Machine.Noise, new.Machine.Noise
	return result.Noise{CPU: max(a.CPU, b.CPU), Sync: max(a.Sync, b.Sync)}
}

func compareRows(old, new result.Row, found bool, noise result.Noise) []Change {
	k := KeyOf(new)
	switch {
	case (!found || old.Missing != "") && new.Missing != "":
		return nil
	case !found || old.Missing != "":
		return []Change{{Key: k, What: "row", Finding: Added, Because: old.Missing}}
	case new.Missing != "":
		return []Change{{Key: k, What: "row", Finding: Removed, Because: new.Missing}}
	}
	var changes []Change
	for _, c := range compared {
		a, b := c.of.values(old), c.of.values(new)
		if !slices.ContainsFunc(slices.Concat(a, b), func(v float64) bool { return v <= 0 }) {
			change := test(a, b, c.noise(noise))
			change.Key, change.What = k, c.what
			changes = append(changes, change)
		}
	}
	return append(changes, compareWrong(k, old.Wrong, new.Wrong)...)
}

// test compares the runs of one figure.
func test(old, new []float64, machine float64) Change {
	a, b := sample(old), sample(new)
	c := Change{
		Old:  benchmath.AssumeNothing.Summary(a, confidence).Center,
		New:  benchmath.AssumeNothing.Summary(b, confidence).Center,
		Test: benchmath.AssumeNothing.Compare(a, b),
	}
	switch by := max(c.Old, c.New)/min(c.Old, c.New) - 1; {
	case smallestP(len(old), len(new)) >= c.Test.Alpha:
		c.Finding, c.Because = TooFew, fmt.Sprintf("%d and %d runs cannot tell", len(old), len(new))
	case c.Test.P >= c.Test.Alpha:
		c.Finding, c.Because = Noise, "chance does as much"
	case by < machine:
		c.Finding, c.Because = Noise, fmt.Sprintf("the machine itself varies by %.0f%%", 100*machine)
	case c.New > c.Old:
		c.Finding = Slower
	default:
		c.Finding = Faster
	}
	return c
}

// confidence of the medians' intervals, which benchmath asks for.
const confidence = 0.95

func sample(values []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
}

// smallestP is the p-value of the test if all values of one sample are below
// all of the other: two of the (m+n)!/(m!n!) orders are so extreme.
func smallestP(m, n int) float64 {
	p := 2.0
	for i := 1; i <= m; i++ {
		p *= float64(i) / float64(n+i)
	}
	return p
}

func compareWrong(k Key, old, new result.Wrong) []Change {
	switch {
	case old.Any() == new.Any():
		return nil
	case new.Any():
		return []Change{{Key: k, What: "wrong", Finding: Broken, Because: wrongText(new)}}
	}
	return []Change{{Key: k, What: "wrong", Finding: Mended, Because: "was: " + wrongText(old)}}
}

// Differences between two results' circumstances that make their figures hard to
// compare, in words.
func Differences(old, new result.Result) []string {
	var d []string
	for _, c := range []struct{ what, old, new string }{
		{"system", old.Machine.OS + " " + old.Machine.Arch, new.Machine.OS + " " + new.Machine.Arch},
		{"kernel", old.Machine.Kernel, new.Machine.Kernel},
		{"CPU", old.Machine.CPU, new.Machine.CPU},
		{"cores", fmt.Sprint(old.Machine.Cores), fmt.Sprint(new.Machine.Cores)},
		{"file system", old.Machine.FileSystem, new.Machine.FileSystem},
		{"length", lengthOf(old), lengthOf(new)},
	} {
		if c.old != c.new {
			d = append(d, fmt.Sprintf("%s: %s, then %s", c.what, cmp.Or(c.old, "unknown"), cmp.Or(c.new, "unknown")))
		}
	}
	return append(d, versionDifferences(old, new)...)
}

func lengthOf(r result.Result) string {
	if r.Quick {
		return "quick"
	}
	return "full"
}

func versionDifferences(old, new result.Result) []string {
	var d []string
	for _, v := range new.Versions {
		i := slices.IndexFunc(old.Versions, func(o result.Version) bool { return o.Name == v.Name })
		if i >= 0 && old.Versions[i] != v {
			d = append(d, strings.Join([]string{v.Name + ":", old.Versions[i].Version + ", then", v.Version}, " "))
		}
	}
	return d
}
