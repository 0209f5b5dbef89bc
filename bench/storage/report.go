package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// Targets. Ratios, because disks differ.
const (
	maxOneToRaw   = 1.7  // one writer's time by that of an append
	minManyToMany = 4.0  // 64 writers' rate by Badger's
	minHotToOne   = 0.5  // 16 writers' rate on one key by one writer's
	maxHotTail    = 32.0 // their p99 by one writer's p50
	maxOpen       = 150 * time.Millisecond
	noisyTail     = 8.0                     // p99 of an append by its p50, above which the disk is not ours alone
	maxRssAnon    = 60 * 1000 * 1000 / 1024 // KiB
)

// Check is a target and how it was met.
type Check struct {
	Name   string  `json:"name"`
	Figure float64 `json:"figure"`
	Target string  `json:"target"`
	Holds  bool    `json:"holds"`
}

func checks(config Config, r *Results, opened time.Duration) []Check {
	rate := func(s Sample) float64 { return s.Rate }
	p50 := func(s Sample) float64 { return float64(s.P50) }
	one := r.ratio(pawlOne, rawAppend, p50)
	many := r.ratio(pawlMany, badgerMany, rate)
	hot := r.ratio(pawlHot, pawlOne, rate)
	var tails []float64
	for i, s := range r.samples[pawlHot] {
		tails = append(tails, float64(s.P99)/float64(r.samples[pawlOne][i].P50))
	}
	tail := median(tails)
	ms := float64(opened) / float64(time.Millisecond)
	return []Check{
		{"time of 1 writer's commit / append + sync", one, fmt.Sprintf("<= %.1f", maxOneToRaw), one <= maxOneToRaw},
		{"rate of 64 writers / Badger's", many, fmt.Sprintf(">= %.1f", minManyToMany), many >= minManyToMany},
		{"rate of 16 writers on one key / 1 writer's", hot, fmt.Sprintf(">= %.1f", minHotToOne), hot >= minHotToOne},
		{"their p99 / 1 writer's p50", tail, fmt.Sprintf("<= %.0f", maxHotTail), tail <= maxHotTail},
		{fmt.Sprintf("ms to open %d sessions", config.Sessions), ms, fmt.Sprintf("< %d", maxOpen.Milliseconds()), opened < maxOpen},
	}
}

func report(config Config, r *Results, opened time.Duration) error {
	err := printTable(config, r, checks(config, r, opened), "durable read-modify-write")
	if err != nil || config.JSON {
		return err
	}
	if raw := medianSample(r.samples[rawAppend]); float64(raw.P99) > noisyTail*float64(raw.P50) {
		fmt.Fprintf(config.Out, "\nThe disk is busy with other things: p99 of an append is %.0f x its p50. Tails say little.\n", float64(raw.P99)/float64(raw.P50))
	}
	var tails []float64
	for i, s := range r.samples[rawQueue] {
		tails = append(tails, float64(s.P99)/float64(r.samples[rawAppend][i].P50))
	}
	fmt.Fprintf(config.Out, "\n16 appends in a row have a p99 of %.0f x the p50 of one: 16 writers that take turns on this disk can hardly have less.\n", median(tails))
	return nil
}

// printTable prints the cases and the targets.
func printTable(config Config, r *Results, targets []Check, title string) error {
	if config.JSON {
		cases := make(map[string]Sample)
		for name, samples := range r.samples {
			cases[name] = medianSample(samples)
		}
		return json.NewEncoder(config.Out).Encode(map[string]any{"cases": cases, "checks": targets})
	}
	fmt.Fprintf(config.Out, "%-44s %10s %10s %10s\n", title, "ops/s", "p50", "p99")
	for _, name := range r.order {
		s := medianSample(r.samples[name])
		fmt.Fprintf(config.Out, "%-44s %10.0f %10v %10v\n", name, s.Rate, s.P50.Round(time.Microsecond), s.P99.Round(time.Microsecond))
	}
	fmt.Fprintf(config.Out, "\n%-44s %10s %10s\n", "target", "figure", "wanted")
	for _, c := range targets {
		fmt.Fprintf(config.Out, "%-44s %10.2f %10s %s\n", c.Name, c.Figure, c.Target, verdict(c.Holds))
	}
	return nil
}

func verdict(holds bool) string {
	if holds {
		return "reached"
	}
	return "NOT REACHED"
}
