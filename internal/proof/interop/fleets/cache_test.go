//go:build linux

package fleets

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/bench/workload"
	"github.com/pawlkv/pawl/kv"
)

// cacheRuns is how often each workload runs at each distance: make bench-network.
var cacheRuns = flag.Int("fleet.cache", 0, "runs of each workload without a cache and with one, at each distance; 0 is a short one, nearby")

// TestCacheOverNetwork runs workloads of bench on PostgreSQL and etcd, without a cache, with
// Pawl's and with the lease of today's clients, with the server at several distances, and
// prints how long a message takes: whether a cache pays off where reading is a round trip.
func TestCacheOverNetwork(t *testing.T) {
	away, runs := []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond}, *cacheRuns
	if runs == 0 {
		if testing.Short() {
			t.Skip("no fault happens here: without -short, or by make bench-network")
		}
		t.Parallel()
		away = away[:1]
	}
	for engine, start := range map[string]func(*testing.T) *far{postgres: farPostgres, etcd: farEtcd} {
		t.Run(engine, func(t *testing.T) {
			f := start(t)
			f.conns = 4
			workload.AddEngine(engine, func(dir string) (kv.Store, error) { return f.open(dir[max(0, len(dir)-100):]), nil })
			for _, c := range cacheConfigs(engine, runs == 0) {
				for _, distance := range away {
					f.at(distance)
					c.Runs, c.Seed, c.Dir = max(runs, 1), 1, t.TempDir()
					rows, err := workload.Run(t.Context(), c)
					if err != nil {
						t.Fatalf("%s, %v away: %v", c.Workload, distance, err)
					}
					f.printRows(t, rows, distance)
				}
			}
		})
	}
}

// cacheConfigs are workloads of bench, as short as a far server needs them.
func cacheConfigs(engine string, few bool) []workload.Config {
	var all []workload.Config
	for _, c := range []workload.Config{
		{Workload: workload.Decrypt, Messages: 100},
		{Workload: workload.Decrypt, Params: result.Params{Batch: 100}, Messages: 200},
		{Workload: workload.Decrypt, Params: result.Params{Sessions: 50}, Messages: 100},
		{Workload: workload.Encrypt, Params: result.Params{Peers: 20}, Messages: 100},
		{Workload: workload.Alternate, Messages: 60},
		{Workload: workload.Sync, Params: result.Params{Batch: 100, Peers: 100}, Messages: 200},
		{Workload: workload.Share, Params: result.Params{Peers: 163}, Messages: 163},
		{Workload: workload.Room, Params: result.Params{Peers: 163}, Messages: 60},
	} {
		if few {
			c.Messages = 5
			c.Params.Batch, c.Params.Peers, c.Params.Sessions = min(c.Params.Batch, 5), min(c.Params.Peers, 5), min(c.Params.Sessions, 5)
		}
		for _, d := range []string{design.NameNone, design.NameValidated, design.NameLease} {
			c.Systems = append(c.Systems, workload.System{Design: d, Engine: engine})
		}
		all = append(all, c)
	}
	return all
}

// printRows prints what a message took, and checks that Pawl loses nothing.
func (f *far) printRows(t *testing.T, rows []result.Row, distance time.Duration) {
	t.Helper()
	line := fmt.Sprintf("%-8s %-9s", rows[0].Workload, distance)
	if n := rows[0].Params.Batch; n > 1 {
		line += fmt.Sprintf(" batch %d", n)
	}
	if n := rows[0].Params.Sessions; n > 1 {
		line += fmt.Sprintf(" sessions %d", n)
	}
	var first time.Duration
	for i, r := range rows {
		if r.Missing != "" {
			line += fmt.Sprintf(" | %s: %s", r.Design, r.Missing)
			continue
		}
		if r.Design != design.NameLease && r.Wrong != (result.Wrong{}) {
			t.Errorf("%s, %s: %+v, want that nothing is wrong", r.Workload, r.Design, r.Wrong)
		}
		var each []time.Duration
		for _, run := range r.Runs {
			each = append(each, time.Duration(run.Took)/time.Duration(run.Messages))
		}
		slices.Sort(each)
		took := each[len(each)/2]
		if i == 0 {
			first = took
		}
		line += fmt.Sprintf(" | %s %.2f ms (%.2f x)", r.Design, took.Seconds()*1000, took.Seconds()/first.Seconds())
	}
	t.Log(line)
}
