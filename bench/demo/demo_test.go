package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/effort"
)

func config(t *testing.T, engine string, told io.Writer) Config {
	return Config{Rounds: 30, Seed: 1, Engine: engine, Dir: t.TempDir(), Process: as("process"), Story: told}
}

// TestDesigns: with real processes, restarted and killed at random, the caches
// break and Pawl holds.
func TestDesigns(t *testing.T) {
	effort.Processes(t)
	for _, engine := range []string{Badger, SQLite} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			var told bytes.Buffer
			c := config(t, engine, &told)
			seen := 0
			c.Progress = func(p Progress) {
				if seen++; p.Round != seen || p.Rounds != 4*c.Rounds {
					t.Errorf("progress %d of %d, want %d of %d", p.Round, p.Rounds, seen, 4*c.Rounds)
				}
			}
			r, err := Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Verdict(); err != nil {
				t.Error(err)
			}
			for i, o := range r.Designs {
				checkOutcome(t, o, Designs()[i], messages(schedule(c.Seed, c.Rounds)))
			}
			if t.Failed() {
				t.Log(told.String())
			}
		})
	}
}

func checkOutcome(t *testing.T, o Outcome, name string, messages int) {
	t.Helper()
	if o.Name != name || o.Messages != messages || o.Decrypted+o.Lost != o.Messages || (o.First != nil) != (o.Lost > 0) {
		t.Errorf("%s: %+v does not add up", name, o)
	}
	if o.Kills == 0 || o.Restarts == 0 || o.P50 <= 0 || o.P99 < o.P50 || o.Worst < o.P99 {
		t.Errorf("%s: %+v: nothing was killed, or it took no time", name, o)
	}
	if o.holds != (o.Lost == 0) {
		t.Errorf("%s lost %d messages", name, o.Lost)
	}
	if name == "validated" && o.Retries == 0 {
		t.Errorf("%s: no commit refused what was computed from an old copy", name)
	}
}

func TestVerdict(t *testing.T) {
	broken := Outcome{title: "stale", Messages: 9, Decrypted: 7, Lost: 2}
	good := Outcome{title: "Pawl", holds: true, Messages: 9, Decrypted: 9}
	with := func(change func(*Outcome)) Outcome { o := good; change(&o); return o }
	for _, c := range []struct {
		designs []Outcome
		want    string
	}{
		{[]Outcome{broken, good, good}, ""},
		{[]Outcome{{title: "stale", Messages: 9, Decrypted: 9}, good}, ""},
		{[]Outcome{broken, with(func(o *Outcome) { o.Lost = 1 })}, "1 lost"},
		{[]Outcome{broken, with(func(o *Outcome) { o.Reused = 1 })}, "1 message keys used twice"},
		{[]Outcome{broken, with(func(o *Outcome) { o.Wedged = 1 })}, "1 sessions wedged"},
		{[]Outcome{broken, with(func(o *Outcome) { o.Broken = []string{"x"} })}, "1 invariants broken"},
		{[]Outcome{broken, with(func(o *Outcome) { o.Decrypted-- })}, "Pawl failed"},
	} {
		err := Report{Designs: c.designs}.Verdict()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("Verdict() = %v, want %q", err, c.want)
		}
	}
}

// TestInterrupted: the processes end with the context.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := config(t, SQLite, io.Discard)
	c.Progress = func(p Progress) {
		if p.Round == 3 {
			cancel()
		}
	}
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want context.Canceled", err)
	}
}

// TestNobodyListens: a story that cannot be told is not played to its end.
func TestNobodyListens(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	c := config(t, SQLite, w)
	c.Rounds = MaxRounds / 100
	if _, err := Run(t.Context(), c); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Run = %v, want io.ErrClosedPipe", err)
	}
}

// TestProcessCrashes: a process that ends by itself is no loss of a design.
func TestProcessCrashes(t *testing.T) {
	c := config(t, SQLite, io.Discard)
	c.Process = as("crash")
	_, err := Run(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "the app ended by itself") || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no memory left") {
		t.Errorf("Run = %v, want that the app ended by itself, with what it said", err)
	}
}

func TestConfig(t *testing.T) {
	c := config(t, "bolt", io.Discard)
	if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), `no engine "bolt": there are badger, sqlite`) {
		t.Errorf("Run = %v", err)
	}
	c = config(t, SQLite, io.Discard)
	c.Designs = []string{"none", "best"}
	if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), `no design "best": there are stale, lease, none, validated`) {
		t.Errorf("Run = %v", err)
	}
}
