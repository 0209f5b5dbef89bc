package main

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Sample is what a run of a case came to.
type Sample struct {
	Rate float64       `json:"rate"` // operations a second
	P50  time.Duration `json:"p50"`
	P99  time.Duration `json:"p99"`
}

// operation is done again and again by one of the writers of a case.
type operation func(ctx context.Context, writer int) error

// measure lets writers do an operation at the same time for a duration.
func measure(d time.Duration, writers int, op operation) (Sample, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var wg sync.WaitGroup
	times := make([][]time.Duration, writers)
	start := time.Now()
	for w := range writers {
		wg.Go(func() {
			for begin := time.Now(); begin.Sub(start) < d && ctx.Err() == nil; {
				if err := op(ctx, w); err != nil {
					cancel(err)
					return
				}
				end := time.Now()
				times[w] = append(times[w], end.Sub(begin))
				begin = end
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	if err := context.Cause(ctx); err != nil {
		return Sample{}, err
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	return Sample{
		Rate: float64(len(all)) / took.Seconds(),
		P50:  all[len(all)/2],
		P99:  all[len(all)*99/100],
	}, nil
}

// median returns the middle of the values; of an even number the upper.
func median[T cmp.Ordered](values []T) T {
	values = slices.Clone(values)
	slices.Sort(values)
	return values[len(values)/2]
}

func medianSample(samples []Sample) Sample {
	pick := func(f func(Sample) float64) float64 {
		var values []float64
		for _, s := range samples {
			values = append(values, f(s))
		}
		return median(values)
	}
	return Sample{
		Rate: pick(func(s Sample) float64 { return s.Rate }),
		P50:  time.Duration(pick(func(s Sample) float64 { return float64(s.P50) })),
		P99:  time.Duration(pick(func(s Sample) float64 { return float64(s.P99) })),
	}
}
