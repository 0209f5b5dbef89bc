package main

import (
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
)

func made(workload, system, design, engine string, batch int, took ...time.Duration) result.Row {
	row := result.Row{
		Workload: workload, Params: result.Params{Batch: batch}, System: system, Design: design, Engine: engine,
		Cost: result.Cost{CPU: 12340, Syncs: 1.5},
	}
	for _, t := range took {
		row.Runs = append(row.Runs, result.Run{Messages: 10, Took: t, CPU: t})
	}
	return row
}

func TestRatiosToReach(t *testing.T) {
	const decrypt = "olm: in-chain decrypt (state in hand)"
	rows := []result.Row{
		made(peer.WorkloadDecrypt, "pawl", "none", "badger", 1, 10, 20, 30),
		made(peer.WorkloadDecrypt, "pawl", "validated", "badger", 1, 1, 1, 1),
		made(peer.WorkloadDecrypt, "mautrix-go with goolm", "", "SQLite, synchronous=FULL", 1, 25, 40, 90),
		made(peer.WorkloadDecrypt, "mautrix-go with goolm", "", "SQLite, synchronous=NORMAL", 1, 1, 1, 1),
		made(peer.WorkloadDecrypt, "pawl", "none", "badger", 100, 10, 10),
		made(peer.WorkloadDecrypt, "matrix-sdk-crypto", "", "SQLite, matrix-sdk-sqlite", 100, 9, 9),
		made(peer.WorkloadShare, "pawl", "none", "sqlite", 0, 10, 30, 20),
		made(peer.WorkloadEncrypt, "pawl", "none", "sqlite", 0, 100, 100, 100),
		made(peer.WorkloadEncrypt, "pawl", "none", "badger", 0, 1, 1, 1),
		made(peer.WorkloadEncrypt, "pawl", "validated", "sqlite", 0, 1, 1, 1),
		made(peer.WorkloadRoomEncrypt, "pawl", "none", "badger", 0, 13, 13, 13),
		made(peer.WorkloadRoomEncrypt, "pawl", "validated", "badger", 0, 1, 1, 1),
		made(peer.WorkloadRoomEncrypt, "bare commit", "", "badger", 0, 10, 10, 10),
		made(peer.WorkloadRoomEncrypt, "bare commit", "", "sqlite", 0, 1, 1, 1),
		made(decrypt, "pawl", "", "", 0, 16, 16, 16),
		made(decrypt, "vodozemac", "", "", 0, 10, 8, 16),
	}
	want := []string{
		"peers decrypt, batch 1, badger: 2.50 (2.00 to 3.00) x the messages/s of mautrix-go with goolm SQLite, synchronous=FULL\tat least 2.50\treached",
		"peers decrypt, batch 100, beside mautrix-go=NORMAL\tnot measured",
		"peers decrypt, batch 100, beside mautrix-go=FULL\tnot measured",
		"peers decrypt, batch 100, badger: 0.90 (0.90 to 0.90) x the messages/s of matrix-sdk-crypto SQLite, matrix-sdk-sqlite\tat least 1.00\tMISSED",
		"peers room key, batch 1, beside mautrix-go=FULL\tnot measured",
		"peers room key, batch 100, beside mautrix-go=NORMAL\tnot measured",
		"peers room key, batch 100, beside mautrix-go=FULL\tnot measured",
		"peers share, sqlite: 0.20 (0.10 to 0.30) x the time of peers encrypt\tat most 0.25\treached",
		"peers share, beside mautrix-go=FULL\tnot measured",
		"peers claim, beside matrix-sdk-crypto\tnot measured",
		"peers missing, beside matrix-sdk-crypto\tnot measured",
		"peers room encrypt, badger: 1.30 (1.30 to 1.30) x the time of bare commit badger\tat most 1.25\tMISSED",
		"peers room decrypt, beside bare commit\tnot measured",
		"olm: in-chain encrypt (state in hand), beside vodozemac\tnot measured",
		"olm: in-chain decrypt (state in hand): 1.60 (1.00 to 2.00) x the CPU time of vodozemac\tat most 1.50\tMISSED",
	}
	got := ratiosToReach(rows)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestStoredTable(t *testing.T) {
	row := made(peer.WorkloadDecrypt, "pawl", "none", "badger", 100, time.Second, 2*time.Second, 4*time.Second)
	row.Latency = result.Latency{P50: 1234567, P99: 99999}
	row.Wrong = result.Wrong{Wedged: 1, Lost: 2, Reused: 3}
	row.Durable, row.Also = "everything", "More."
	untold := made(peer.WorkloadDecrypt, "other", "", "SQLite", 100)
	untold.Missing = "it cannot"
	absent := result.Row{Workload: peer.WorkloadOpen, System: "gone", Missing: peer.NotBuilt}
	report := peer.Report{
		Rows:     []result.Row{row, untold, absent},
		Versions: []result.Version{{Name: "Go", Version: "go1"}},
	}
	var out strings.Builder
	if err := writeStored(&out, report); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"peers decrypt, batch 100\n",
		"pawl, none badger 5 1.235ms 100µs 12.34µs 1.50 1 2 3\n",
		"other SQLite it cannot\n",
		"gone peers open: not built: run 'make peers'\n",
		"pawl badger: durable: everything. More.\n",
		"Go go1\n",
	} {
		if !strings.Contains(squeezed(out.String()), line) {
			t.Errorf("no line %q in\n%s", line, &out)
		}
	}
}

// squeezed has one blank between words.
func squeezed(s string) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		out.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	return out.String()
}
