package workload

import (
	"context"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/internal/proof/effort"
)

// tiny returns a comparison that takes no time.
func tiny(t *testing.T, workload string, p result.Params, s []System) Config {
	return Config{
		Workload: workload, Params: p, Systems: s, Messages: 20, Runs: 2, Seed: 7,
		Dir: t.TempDir(), Process: child,
	}
}

func mustRun(t *testing.T, c Config) []result.Row {
	t.Helper()
	rows, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(c.Systems) {
		t.Fatalf("there are %d rows for %d systems", len(rows), len(c.Systems))
	}
	left, err := os.ReadDir(c.Dir)
	if err != nil || len(left) > 0 {
		t.Errorf("of the stores there are left %v, %v", left, err)
	}
	return rows
}

// expected is what a row must say.
type expected struct {
	messages, calls int     // in a run
	syncs           float64 // of a message; NaN: more than none and at most one
}

var some = math.NaN()

func (want expected) check(t *testing.T, c Config, r result.Row) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s %+v, %s on %s: "+format, append([]any{r.Workload, r.Params, r.Design, r.Engine}, args...)...)
	}
	if r.Missing != "" || r.Wrong.Any() || len(r.Notes) > 0 {
		fail("missing %q, wrong %+v, notes %q", r.Missing, r.Wrong, r.Notes)
	}
	if len(r.Runs) != c.Runs {
		fail("%d runs, want %d", len(r.Runs), c.Runs)
	}
	for _, run := range r.Runs {
		if run.Messages != want.messages || run.Took <= 0 || run.CPU < 0 {
			fail("a run of %+v, want %d messages", run, want.messages)
		}
	}
	calls := 0
	for _, n := range r.Latency.Counts {
		calls += n
	}
	if calls != want.calls*c.Runs || r.Latency.P50 <= 0 || r.Latency.P50 > r.Latency.P99 || r.Latency.P99 > r.Latency.P999 {
		fail("%d calls, want %d; %v, %v, %v", calls, want.calls*c.Runs, r.Latency.P50, r.Latency.P99, r.Latency.P999)
	}
	syncs := want.syncs
	if r.Engine == Memory {
		syncs = 0
	}
	if math.IsNaN(syncs) && (r.Cost.Syncs <= 0 || r.Cost.Syncs > 1) || !math.IsNaN(syncs) && math.Abs(r.Cost.Syncs-syncs) > 1e-9 {
		fail("%v syncs a message, want %v", r.Cost.Syncs, syncs)
	}
	if r.Cost.Allocs <= 0 || r.Cost.Allocated <= 0 {
		fail("%v allocations of %v bytes a message", r.Cost.Allocs, r.Cost.Allocated)
	}
	for i, part := range r.Split {
		if part.Name != result.Parts[i] || part.Time < 0 {
			fail("part %d is %+v, want %s", i, part, result.Parts[i])
		}
	}
	if ratchet := r.Split[3]; ratchet.Time <= 0 {
		fail("the ratchet takes %v", ratchet.Time)
	}
}

// TestWorkloads: every workload reads and writes all its messages on every
// engine that can have it, with the syncs that it must have.
func TestWorkloads(t *testing.T) {
	effort.Processes(t)
	all, shared := Engines(), []string{Badger, BadgerClient, SQLite}
	none := []string{design.NameNone}
	for _, c := range []struct {
		workload string
		params   result.Params
		systems  []System
		want     expected
	}{
		{Decrypt, result.Params{}, on(all, ours), expected{20, 20, 1}},
		{Decrypt, result.Params{Batch: 10}, on(all, none), expected{20, 2, 0.1}},
		{Decrypt, result.Params{Sessions: 50}, on([]string{Memory, Badger}, every()), expected{20, 20, some}},
		{Decrypt, result.Params{Sessions: 500, Distribution: Zipf}, on([]string{Memory, Badger}, none), expected{20, 20, 1}},
		{Decrypt, result.Params{PeerSessions: 4}, on([]string{Memory, SQLite}, ours), expected{20, 20, 1}},
		{Decrypt, result.Params{Acknowledge: 10}, on(all, ours), expected{20, 20, 1.1}},
		{Encrypt, result.Params{}, on([]string{Memory, Badger}, none), expected{20, 20, 1}},
		{Encrypt, result.Params{Peers: 10}, on(all, none), expected{20, 2, some}},
		{OpenIn, result.Params{}, on([]string{Memory, Badger}, ours), expected{20, 20, 1}},
		{OpenIn, result.Params{Batch: 20}, on(all, none), expected{20, 1, 0.05}},
		{OpenOut, result.Params{Peers: 5}, on([]string{Memory, Badger}, ours), expected{20, 4, some}},
		{Alternate, result.Params{}, on(shared, none), expected{20, 20, 1}},
		{Processes, result.Params{}, on([]string{Memory, Badger}, none), expected{20, 20, 1}},
		{Processes, result.Params{Processes: 2}, on(shared, none), expected{20, 20, some}},
		{Processes, result.Params{Processes: 3, Same: true, Sessions: 1}, on(shared, ours), expected{20, 20, some}},
	} {
		cfg := tiny(t, c.workload, c.params, c.systems)
		for _, r := range mustRun(t, cfg) {
			c.want.check(t, cfg, r)
		}
	}
}

// TestBatchOf100: a sync of a hundred messages is one sync of the disk.
func TestBatchOf100(t *testing.T) {
	c := tiny(t, Decrypt, result.Params{Batch: 100}, on([]string{Badger}, ours))
	c.Messages, c.Process = 200, nil
	for _, r := range mustRun(t, c) {
		expected{200, 2, 0.01}.check(t, c, r)
	}
}

// TestInside: the processes may be inside this one.
func TestInside(t *testing.T) {
	c := tiny(t, Decrypt, result.Params{}, on(Engines(), ours))
	c.Process = nil
	for _, r := range mustRun(t, c) {
		expected{20, 20, 1}.check(t, c, r)
	}
	c = tiny(t, Alternate, result.Params{}, on([]string{Badger}, every()))
	c.Process = nil
	mustRun(t, c)
}

// TestStart: a process that starts is measured as a whole.
func TestStart(t *testing.T) {
	effort.Processes(t)
	c := tiny(t, Start, result.Params{Sessions: 3}, on([]string{Badger, SQLite}, []string{design.NameNone}))
	c.Messages = 2
	for _, r := range mustRun(t, c) {
		if r.Wrong.Any() || len(r.Runs) != 2 || r.Runs[0].Messages != 2 || r.Cost.Syncs < 1 {
			t.Errorf("%s: %+v", r.Engine, r)
		}
	}
}

// TestDay: a day of Pawl loses nothing, and its messages are counted.
func TestDay(t *testing.T) {
	effort.Processes(t)
	c := tiny(t, Day, result.Params{Sessions: 5}, on([]string{Badger}, ours))
	c.Messages, c.Runs = 40, 1
	for _, r := range mustRun(t, c) {
		if r.Wrong.Any() || len(r.Runs) != 1 || r.Runs[0].Messages < 40 {
			t.Errorf("%s: %+v", r.Design, r)
		}
	}
}

// TestWrong: when app and NSE take turns, the designs that are wrong lose
// messages and wedge the session, and those that hold do not.
func TestWrong(t *testing.T) {
	effort.Processes(t)
	for _, r := range mustRun(t, tiny(t, Alternate, result.Params{}, on([]string{Badger}, every()))) {
		d, _ := design.Find(r.Design)
		if d.Holds {
			if r.Wrong.Any() {
				t.Errorf("%s: %+v, %q", r.Design, r.Wrong, r.Notes)
			}
			continue
		}
		if r.Wrong.Lost == 0 || r.Wrong.Wedged != 1 || len(r.Notes) == 0 {
			t.Errorf("%s: %+v, %q: want lost messages, a wedged session, and why", r.Design, r.Wrong, r.Notes)
		}
	}
}

// TestTooLarge: an account that does not fit into one entry is a row that says
// so, beside those of other designs.
func TestTooLarge(t *testing.T) {
	c := tiny(t, Decrypt, result.Params{Sessions: 5000}, on([]string{Memory, SQLite}, []string{design.NameBlob, design.NameNone}))
	c.Process = nil
	for _, r := range mustRun(t, c) {
		if r.Design == design.NameNone {
			expected{20, 20, 1}.check(t, c, r)
			continue
		}
		if r.Missing == "" || r.Runs != nil || r.Wrong.Any() {
			t.Errorf("%s on %s: %+v, want a reason why there are no figures", r.Design, r.Engine, r)
		}
	}
}

// TestTurns: systems run in turn, after one run each that warms up.
func TestTurns(t *testing.T) {
	c := tiny(t, Decrypt, result.Params{}, on([]string{Memory}, ours))
	c.Process = nil
	type turn struct {
		design string
		run    int
	}
	var got []turn
	c.Progress = func(p Progress) {
		if p.Workload != Decrypt || p.Runs != 2 {
			t.Errorf("progress %+v", p)
		}
		got = append(got, turn{p.System.Design, p.Run})
	}
	mustRun(t, c)
	want := []turn{{"", 0}, {"none", 0}, {"validated", 0}, {"none", 1}, {"validated", 1}, {"none", 2}, {"validated", 2}}
	if len(got) != len(want) {
		t.Fatalf("turns %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("turn %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// TestEnds: a run ends with its context, and says so.
func TestEnds(t *testing.T) {
	c := tiny(t, Decrypt, result.Params{}, on([]string{Badger}, ours))
	ctx, cancel := context.WithCancel(t.Context())
	c.Progress = func(p Progress) {
		if p.Run == 1 {
			cancel()
		}
	}
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want %v", err, context.Canceled)
	}
}
