package workload

import (
	"fmt"
	"testing"
	"time"

	"github.com/pawlkv/pawl/bench/result"
)

// BenchmarkSuite is the quick suite, one system at a time, with figures for a
// message. Systems are compared by the command, which runs them in turn.
func BenchmarkSuite(b *testing.B) {
	for _, c := range Suite(true) {
		for _, s := range c.Systems {
			b.Run(fmt.Sprintf("%s/%s/%s/%s", c.Workload, label(c.Params), s.Engine, s.Design), func(b *testing.B) {
				benchmark(b, c, s)
			})
		}
	}
}

// most is how many messages a benchmark has at most: preparing one takes longer
// than reading it.
const most = 2000

func benchmark(b *testing.B, c Config, s System) {
	c.Systems, c.Messages, c.Runs = []System{s}, min(max(b.N, 10), most), 1
	c.Seed, c.Dir, c.Process = 1, b.TempDir(), child
	rows, err := Run(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	r := rows[0]
	b.ReportMetric(float64(r.Runs[0].Took/time.Duration(r.Runs[0].Messages)), "ns/op")
	b.ReportMetric(float64(r.Cost.CPU), "cpu-ns/op")
	b.ReportMetric(float64(r.Latency.P99), "p99-ns")
	b.ReportMetric(r.Cost.Syncs, "syncs/op")
	b.ReportMetric(r.Cost.Allocs, "allocs/op")
	b.ReportMetric(float64(r.Wrong.Lost+r.Wrong.Reused+r.Wrong.Wedged), "wrong")
}

// label names parameters that are not the workload's defaults.
func label(p result.Params) string {
	text := ""
	for _, n := range []struct {
		name  string
		value int
	}{{"sessions", p.Sessions}, {"batch", p.Batch}, {"peers", p.Peers}, {"processes", p.Processes}} {
		if n.value != 0 {
			text += fmt.Sprintf("%s=%d,", n.name, n.value)
		}
	}
	if p.Same {
		text += "same,"
	}
	if text == "" {
		return "default"
	}
	return text[:len(text)-1]
}
