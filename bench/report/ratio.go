package report

import (
	"slices"
	"time"

	"github.com/pawlkv/pawl/bench/result"
)

// Spread is the median of some figures, and where their middle half lies.
type Spread struct {
	Low, Median, High float64
	N                 int
}

func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	return Spread{quantile(v, 0.25), quantile(v, 0.5), quantile(v, 0.75), len(v)}
}

// undecided: of ratios, it cannot be told from no difference.
func (s Spread) undecided() bool { return s.N > 0 && s.Low <= 1 && s.High >= 1 }

// quantile interpolates between the values of a sorted list.
func quantile(v []float64, q float64) float64 {
	at := q * float64(len(v)-1)
	i := int(at)
	if i+1 >= len(v) {
		return v[len(v)-1]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}

// Measure is something that is measured in each run, for one message.
type Measure func(result.Run) float64

// TimePerMessage is in nanoseconds.
func TimePerMessage(r result.Run) float64 { return float64(r.Took) / float64(r.Messages) }

// CPUPerMessage is in nanoseconds. It is not positive where it cannot be told.
func CPUPerMessage(r result.Run) float64 { return float64(r.CPU) / float64(r.Messages) }

// Rate is messages a second.
func Rate(r result.Run) float64 {
	return float64(r.Messages) / time.Duration(r.Took).Seconds()
}

// Of returns the spread of a measure over a row's runs.
func (m Measure) Of(row result.Row) Spread { return spread(m.values(row)) }

func (m Measure) values(row result.Row) []float64 {
	values := make([]float64, len(row.Runs))
	for i, run := range row.Runs {
		values[i] = m(run)
	}
	return values
}

// Ratio is how many times as much a takes as b: in each repetition, for they
// were run in turn. It has no N if there are no figures to compare.
func (m Measure) Ratio(a, b result.Row) Spread {
	var ratios []float64
	for i := range min(len(a.Runs), len(b.Runs)) {
		over, under := m(a.Runs[i]), m(b.Runs[i])
		if over > 0 && under > 0 {
			ratios = append(ratios, over/under)
		}
	}
	return spread(ratios)
}
