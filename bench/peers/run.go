package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Run measures every operation wanted.
func Run(ctx context.Context, c Config) (results []Result, err error) {
	if c.Rounds < 1 || c.Batch <= 0 {
		return nil, fmt.Errorf("rounds %d and batch %v must be positive", c.Rounds, c.Batch)
	}
	contestants := []contestant{ours(), goolm()} // in this order: see measure
	contestants = append(contestants, libolm()...)
	native, clean, err := vodozemac(ctx, c.Programs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, clean()) }()
	contestants = append(contestants, native...)
	for _, row := range rows {
		if !strings.Contains(string(row.operation), c.Only) {
			continue
		}
		r, err := c.measure(row.operation, contestants)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", row.operation, err)
		}
		r.Target, r.Reached = row.target, r.Ratio <= row.target
		results = append(results, r)
	}
	return results, nil
}

// measure takes the contestants in turn, another one first each round. The
// first two of them are those whose ratio counts.
func (c Config) measure(op operation, contestants []contestant) (Result, error) {
	samples := make([][]float64, len(contestants))
	sizes := make([]int, len(contestants))
	for i, who := range contestants {
		var err error
		if sizes[i], err = c.size(who, op); err != nil {
			return Result{}, fmt.Errorf("%s: %w", who.name, err)
		}
	}
	for round := range c.Rounds {
		for k := range contestants {
			i := (round + k) % len(contestants)
			spent, err := contestants[i].batch(op, sizes[i])
			if err != nil {
				return Result{}, fmt.Errorf("%s: %w", contestants[i].name, err)
			}
			samples[i] = append(samples[i], float64(spent.Nanoseconds())/float64(sizes[i]))
		}
	}
	// Ratios go by rounds, so they come before anything that sorts.
	r := Result{Operation: string(op), NsPerOp: map[string]float64{}, Ratio: median(ratios(samples[0], samples[1]))}
	for i, who := range contestants {
		if who.name == "vodozemac" {
			r.ToVodozemac = median(ratios(samples[0], samples[i]))
		}
	}
	for i, who := range contestants {
		r.NsPerOp[who.name] = median(samples[i]) // sorts
	}
	return r, nil
}

// size finds how many operations fill a batch.
func (c Config) size(who contestant, op operation) (int, error) {
	for n := 4; ; n *= 4 {
		spent, err := who.batch(op, n)
		if err != nil {
			return 0, err
		}
		if spent >= c.Batch/4 || n >= maxBatch {
			perOp := max(spent/time.Duration(n), 1)
			return min(max(int(c.Batch/perOp), 1), maxBatch), nil
		}
	}
}

// batch returns the CPU time of n operations. What preparing left behind is
// collected before, so that it is not charged to them.
func batch(p prepare, n int) (time.Duration, error) {
	run, err := p(n)
	if err != nil {
		return 0, err
	}
	runtime.GC()
	before := cpuTime()
	for i := range n {
		if err := run(i); err != nil {
			return 0, err
		}
	}
	return cpuTime() - before, nil
}

// ratios compares round by round: what slows one round down mostly slows the
// neighbour in it down too.
func ratios(ours, goolm []float64) []float64 {
	out := make([]float64, len(ours))
	for i := range out {
		out[i] = ours[i] / goolm[i]
	}
	return out
}

func median(samples []float64) float64 {
	slices.Sort(samples)
	n := len(samples)
	return (samples[(n-1)/2] + samples[n/2]) / 2
}
