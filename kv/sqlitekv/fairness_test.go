//go:build linux || darwin

package sqlitekv

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv/kvtest/processes"
)

// hammerTime is how long each round of BenchmarkProcesses lasts.
const hammerTime = 3 * time.Second

// BenchmarkProcesses is the measure of fairness: processes that commit durably
// as fast as they can, each on keys of its own. It prints each one's share of
// an equal share, and the longest that a commit took. Run it with -benchtime 1x.
func BenchmarkProcesses(b *testing.B) {
	for _, n := range []int{1, 8} {
		for _, writers := range []int{1, 4} {
			b.Run(fmt.Sprintf("processes=%d/writers=%d", n, writers), func(b *testing.B) {
				for b.Loop() {
					measureProcesses(b, n, writers)
				}
			})
		}
	}
}

func measureProcesses(b *testing.B, n, writers int) {
	path := filepath.Join(b.TempDir(), "store.db")
	var children []*processes.Child
	for i := range n {
		children = append(children, spawn(b, "hammer", path, fmt.Sprint(i), hammerTime.String(), fmt.Sprint(writers)))
	}
	for _, c := range children {
		c.Begin()
	}
	counts, waits := make([]int, n), make([]int, n)
	total := 0
	for i, c := range children {
		if _, err := fmt.Sscan(c.Says(""), &counts[i], &waits[i]); err != nil {
			b.Fatal(err)
		}
		total += counts[i]
	}
	text := ""
	for i := range counts {
		text += fmt.Sprintf(" %.2f/%.0fms", float64(counts[i]*n)/float64(total), float64(waits[i])/1000)
	}
	b.Logf("share of an equal share / worst wait:%s", text)
	b.ReportMetric(float64(total)/hammerTime.Seconds(), "commits/s")
	b.ReportMetric(float64(slices.Min(counts)*n)/float64(total), "min-share")
	b.ReportMetric(float64(slices.Max(waits))/1000, "worst-ms")
}
