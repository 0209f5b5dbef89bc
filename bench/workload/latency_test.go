package workload

import (
	"testing"
	"time"

	"github.com/pawlkv/pawl/bench/result"
)

// TestLatency: calls are counted in the bins of the result, and the quantiles
// are those of all runs together.
func TestLatency(t *testing.T) {
	var a, b outcome
	for i := range 1000 {
		o := &a
		if i%2 == 1 {
			o = &b
		}
		o.latencies = append(o.latencies, time.Duration(i+1)*time.Microsecond)
	}
	b.latencies = append(b.latencies, time.Hour)
	l := latencyOf([]outcome{a, b})
	for _, q := range []struct {
		name      string
		got, want time.Duration
	}{{"p50", l.P50, 501 * time.Microsecond}, {"p99", l.P99, 991 * time.Microsecond}, {"p99.9", l.P999, 1000 * time.Microsecond}} {
		if d := q.got - q.want; d < -time.Microsecond || d > time.Microsecond {
			t.Errorf("%s is %v, want %v", q.name, q.got, q.want)
		}
	}
	if n := l.Counts[len(l.Counts)-1]; n != 1 {
		t.Errorf("%d calls took longer than all bounds, want 1", n)
	}
	if n := l.Counts[result.Bin(500*time.Microsecond)]; n != 90 {
		t.Errorf("%d calls from 470 us to 560 us, want 90", n)
	}
}

// TestMedian: of an even number it is the mean of the two in the middle.
func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 2: {3, 1, 2}, 2.5: {4, 1, 3, 2}} {
		if got := median(values); got != want {
			t.Errorf("median of %v is %v, want %v", values, got, want)
		}
	}
}
