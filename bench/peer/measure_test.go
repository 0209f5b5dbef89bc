package peer

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/bench/result"
)

func TestProgramsTakeTurns(t *testing.T) {
	dir, log := programs(t, "one", "two")
	var steps []string
	report, err := Measure(t.Context(), Config{
		Programs: Find(t.Context(), dir, "one", "two"),
		Dir:      t.TempDir(),
		Repeats:  3,
		Share:    0.1,
		Step:     func(done, total int, next string) { steps = append(steps, fmt.Sprint(done, "/", total, " ", next)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ran, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	want := "one decrypt\ntwo decrypt\ntwo decrypt\none decrypt\none decrypt\ntwo decrypt\n" +
		"one open\ntwo open\ntwo open\none open\none open\ntwo open\n"
	if string(ran) != want {
		t.Errorf("ran\n%swant\n%s", ran, want)
	}
	if len(steps) != 12 || steps[0] != "0/12 peers decrypt, one" || steps[11] != "11/12 peers open, two" {
		t.Errorf("steps %q", steps)
	}
	versions := []result.Version{{Name: "Go", Version: "1"}, {Name: "one", Version: "2"}, {Name: "two", Version: "2"}}
	if !slices.Equal(report.Versions, versions) {
		t.Errorf("versions %v, want %v", report.Versions, versions)
	}
	checkRow(t, report.Rows[0])
	if missing := report.Rows[4]; missing.Missing != "it has no store" || missing.Runs != nil {
		t.Errorf("row without figures: %+v", missing)
	}
}

// checkRow: the log was 12, 48 and 60 bytes long when "one" had noted its runs.
func checkRow(t *testing.T, row result.Row) {
	t.Helper()
	if row.System != "one" || row.Durable != "everything" || len(row.Runs) != 3 {
		t.Fatalf("row %+v", row)
	}
	if row.Runs[1] != (result.Run{Messages: 10, Took: 48, CPU: 48}) {
		t.Errorf("second run %+v", row.Runs[1])
	}
	if row.Latency.P50 != 48 || row.Latency.P99 != 120 || row.Latency.P999 != 120 {
		t.Errorf("latency %+v", row.Latency)
	}
	counts := make([]int, len(result.Bounds)+1)
	counts[0] = 6 // all below a microsecond
	if !slices.Equal(row.Latency.Counts, counts) {
		t.Errorf("counts %v", row.Latency.Counts)
	}
	if row.Cost.CPU != 48 || row.Cost.Syncs != Unknown || row.Resident != 60 {
		t.Errorf("cost %+v, resident %d", row.Cost, row.Resident)
	}
	if row.Wrong != (result.Wrong{Lost: 3}) || !slices.Equal(row.Notes, []string{"made up"}) {
		t.Errorf("wrong %+v, notes %q", row.Wrong, row.Notes)
	}
}

func TestWantedChoosesRows(t *testing.T) {
	dir, log := programs(t, "one")
	report, err := Measure(t.Context(), Config{
		Programs: Find(t.Context(), dir, "one", "vodozemac"),
		Repeats:  1,
		Share:    1,
		Wanted:   func(r result.Row) bool { return r.Workload == WorkloadOpen },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rows) != 1 || report.Rows[0].Runs[0].Messages != 7 {
		t.Errorf("rows %+v", report.Rows)
	}
	if ran, _ := os.ReadFile(log); string(ran) != "one open\n" {
		t.Errorf("ran %q", ran)
	}
}

func TestMissingProgramsAreRows(t *testing.T) {
	dir, _ := programs(t, "garbled", "newer")
	report, err := Measure(t.Context(), Config{
		Programs: Find(t.Context(), dir, "vodozemac", "matrix-sdk-crypto", "garbled", "newer"), Repeats: 1, Share: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range report.Rows {
		got = append(got, row.Workload+"|"+row.System+"|"+row.Missing)
	}
	want := []string{
		"olm|vodozemac|not built: run 'make peers'",
		"peers decrypt|matrix-sdk-crypto|not built: run 'make peers'",
		"peers room key|matrix-sdk-crypto|not built: run 'make peers'",
		"peers open|matrix-sdk-crypto|not built: run 'make peers'",
		"peers shared|matrix-sdk-crypto|not built: run 'make peers'",
		"peers encrypt|matrix-sdk-crypto|not built: run 'make peers'",
		"peers share|matrix-sdk-crypto|not built: run 'make peers'",
		"peers claim|matrix-sdk-crypto|not built: run 'make peers'",
		"peers missing|matrix-sdk-crypto|not built: run 'make peers'",
		"peers room encrypt|matrix-sdk-crypto|not built: run 'make peers'",
		"peers room decrypt|matrix-sdk-crypto|not built: run 'make peers'",
		`peers decrypt|garbled|peer: the program does not speak this protocol: json: unknown field "colour"`,
		"peers decrypt|newer|peer: the program does not speak this protocol: version 2, not 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFailureIsARow(t *testing.T) {
	dir, _ := programs(t, "broken")
	report, err := Measure(t.Context(), Config{Programs: Find(t.Context(), dir, "broken"), Repeats: 2, Share: 1})
	if err != nil {
		t.Fatal(err)
	}
	row := report.Rows[0]
	if row.Missing != "failed: exit status 1: the disk is on fire" || row.Runs != nil {
		t.Errorf("row %+v", row)
	}
}

func TestMeasureStopsWithItsContext(t *testing.T) {
	dir, log := programs(t, "one")
	found := Find(t.Context(), dir, "one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Measure(ctx, Config{Programs: found, Repeats: 2, Share: 1})
	if err == nil || err.Error() != "context canceled" {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(log); !os.IsNotExist(err) {
		t.Errorf("something ran: %v", err)
	}
}

func TestMeasureRefusesNonsense(t *testing.T) {
	for _, c := range []Config{{Repeats: 0, Share: 1}, {Repeats: 1}, {Repeats: 1, Share: -1}} {
		if _, err := Measure(t.Context(), c); err == nil || !strings.Contains(err.Error(), "must be positive") {
			t.Errorf("%d repeats of %v: %v", c.Repeats, c.Share, err)
		}
	}
}

func TestWithoutStraceSyncsAreUnknown(t *testing.T) {
	dir, log := programs(t, "one")
	t.Setenv("PATH", t.TempDir())
	report, err := Measure(t.Context(), Config{
		Programs: Find(t.Context(), dir, "one"), Repeats: 1, Share: 1, Syncs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if row := report.Rows[0]; row.Cost.Syncs != Unknown || row.Missing != "" || len(row.Runs) != 1 {
		t.Errorf("row %+v", row)
	}
	if ran, _ := os.ReadFile(log); string(ran) != "one decrypt\none open\n" {
		t.Errorf("ran %q", ran)
	}
}
