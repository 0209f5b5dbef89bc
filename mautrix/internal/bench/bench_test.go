package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
)

// asProgram has the test be the program that it measures.
const asProgram = "PAWL_BENCH_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Every row is measured, does what it says, and is in a table in which each target has
// its verdict; and processes with bots say what is resident.
func TestRows(t *testing.T) {
	t.Setenv(asProgram, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	report, err := peer.Measure(t.Context(), peer.Config{
		Programs: peer.Find(t.Context(), filepath.Dir(self), filepath.Base(self)), Dir: t.TempDir(), Seed: 1, Repeats: 1, Share: 0.01,
	})
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string]int{first + "0": 1, fresh + "0": 1, later + "0": 4, taking + "1": 4, taking + "100": 20}
	count := map[string]int{}
	for _, row := range report.Rows {
		kind := fmt.Sprint(row.Workload, row.Params.Batch)
		count[kind]++
		if row.Missing != "" || len(row.Runs) != 1 || row.Runs[0].Messages != messages[kind] {
			t.Errorf("%s of %s on %s: %s, %+v, want %d messages", kind, row.System, row.Engine, row.Missing, row.Runs, messages[kind])
		}
	}
	for kind := range messages {
		want := 6
		if kind == later+"0" {
			want = 8 // two engines alone
		}
		if count[kind] != want {
			t.Errorf("%d rows of %s, want %d", count[kind], kind, want)
		}
	}
	var said strings.Builder
	if err := write(&said, report); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(said.String(), " x the "); n != 2*len(targets) || strings.Contains(said.String(), "not measured") {
		t.Errorf("%d verdicts, want %d:\n%s", n, 2*len(targets), &said)
	}
	said.Reset()
	if err := memory(t.Context(), &said, self, t.TempDir(), 2, 1); err != nil || strings.Count(said.String(), "2 bots in one store, ") != len(engines) {
		t.Errorf("%s, %v", &said, err)
	}
}

// Ratios are taken round by round, and compared with what is to be reached.
func TestVerdicts(t *testing.T) {
	row := func(workload string, batch int, system, engine string, took ...time.Duration) result.Row {
		r := result.Row{Workload: workload, Params: result.Params{Batch: batch}, System: system, Engine: engine}
		for _, d := range took {
			r.Runs = append(r.Runs, result.Run{Messages: 10, Took: d})
		}
		return r
	}
	rows := []result.Row{
		row(taking, 1, ours, badger, 10, 20, 30), row(taking, 1, theirs, full, 25, 40, 90), row(taking, 1, theirs, normal, 1, 1, 1),
		row(later, 0, ours, sqlite, 13, 13, 13), row(later, 0, bare, sqlite, 10, 10, 10), row(later, 0, bare, badger, 1, 1, 1),
	}
	for _, c := range []struct {
		of   target
		want []string
	}{
		{targets[3], []string{
			"room key, 1 in a response, badger, beside cryptohelper\t2.50 (2.00 to 3.00) x the messages/s\tat least 2.50\treached",
			"room key, 1 in a response, sqlite, beside cryptohelper\tnot measured",
		}},
		{targets[2], []string{
			"message, badger, beside commit and request\tnot measured",
			"message, sqlite, beside commit and request\t1.30 (1.30 to 1.30) x the time\tat most 1.25\tMISSED",
		}},
	} {
		if got := c.of.verdicts(rows); strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}
