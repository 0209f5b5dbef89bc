package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Results are the samples of each case, one a round.
type Results struct {
	order   []string
	samples map[string][]Sample
}

// Run measures rates, latencies and the time to open, and prints them.
func Run(config Config) error {
	dir, err := os.MkdirTemp(config.Dir, "pawl-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	results, err := runCases(dir, config)
	if err != nil {
		return err
	}
	opened, err := timeOpen(filepath.Join(dir, "sessions"), config)
	if err != nil {
		return err
	}
	return report(config, results, opened)
}

func runCases(dir string, config Config) (*Results, error) {
	b, err := newBed(dir, config)
	if err != nil {
		return nil, err
	}
	results := &Results{samples: make(map[string][]Sample)}
	for _, c := range b.cases() {
		results.order = append(results.order, c.name)
	}
	for range config.Rounds {
		for _, c := range b.cases() {
			sample, err := measure(config.Duration, c.writers, c.op)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%s: %w", c.name, err), b.close())
			}
			results.samples[c.name] = append(results.samples[c.name], sample)
		}
	}
	return results, b.close()
}

// ratio returns the median over the rounds of a figure of one case by that of
// another.
func (r *Results) ratio(of, by string, figure func(Sample) float64) float64 {
	var ratios []float64
	for i, s := range r.samples[of] {
		ratios = append(ratios, figure(s)/figure(r.samples[by][i]))
	}
	return median(ratios)
}
