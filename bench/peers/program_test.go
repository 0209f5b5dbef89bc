package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
)

// asProgram makes this test binary the peer program.
const asProgram = "PAWL_PEERS_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		exit(program(context.Background(), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// TestPawlRuns runs all that the program lists of Pawl, with few messages.
func TestPawlRuns(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "goolm")); err != nil {
		t.Fatal(err)
	}
	t.Setenv(asProgram, "1")
	report, err := peer.Measure(t.Context(), peer.Config{
		Programs: peer.Find(t.Context(), dir, "goolm"),
		Dir:      t.TempDir(),
		Repeats:  1,
		Share:    0.1,
		Wanted: func(r result.Row) bool {
			return (r.System == "pawl" || r.System == bareSystem) && r.Design != "validated" && r.Params.Batch != 100 && !strings.HasPrefix(r.Workload, peer.WorkloadOlm)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		peer.WorkloadDecrypt: 40, peer.WorkloadRoomKey: 40, peer.WorkloadOpen: peer.Devices, peer.WorkloadShared: 8,
		peer.WorkloadEncrypt: peer.Devices, peer.WorkloadShare: peer.Devices, peer.WorkloadClaim: peer.Devices,
		peer.WorkloadMissing: peer.Crowd / 10, peer.WorkloadRoomEncrypt: 40, peer.WorkloadRoomDecrypt: 40,
	}
	ran := map[string]int{}
	for _, row := range report.Rows {
		if row.Missing != "" || len(row.Runs) != 1 || row.Runs[0].Messages != want[row.Workload] || row.Wrong.Any() {
			t.Errorf("%s on %s: %+v", row.Workload, row.Engine, row)
		}
		ran[row.Workload]++
	}
	for workload := range want {
		rows := 2
		if workload == peer.WorkloadRoomEncrypt || workload == peer.WorkloadRoomDecrypt {
			rows = 4 // the engines alone too
		}
		if ran[workload] != rows {
			t.Errorf("%d rows of %s were run, want %d", ran[workload], workload, rows)
		}
	}
}

func TestProgramRefuses(t *testing.T) {
	for args, said := range map[string]string{
		"hold":           "usage: PROGRAM hold SYSTEM DIR",
		"hold nobody x":  `there is no "nobody"`,
		"run":            "usage: PROGRAM list",
		"list too much":  "usage: PROGRAM list",
		"run nothing -x": "usage: PROGRAM list",
	} {
		if err := program(t.Context(), strings.Fields(args)); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%q: %v, want %q", args, err, said)
		}
	}
}

// TestProgramLists: rows of one workload and operation must be named alike in
// every program.
func TestProgramLists(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "list")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var c peer.Catalog
	d := json.NewDecoder(bytes.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	workloads := map[string]int{}
	for _, e := range c.Entries {
		workloads[e.Row.Workload]++
	}
	for workload, n := range map[string]int{
		peer.WorkloadDecrypt: 8, peer.WorkloadRoomKey: 8, peer.WorkloadOpen: 4, peer.WorkloadShared: 4,
		peer.WorkloadShare: 4, peer.WorkloadMissing: 4, peer.WorkloadRoomEncrypt: 6, peer.WorkloadRoomDecrypt: 6,
		peer.WorkloadOlm + ": in-chain encrypt (state in hand)": 2,
	} {
		if workloads[workload] != n {
			t.Errorf("%d entries of %q, want %d", workloads[workload], workload, n)
		}
	}
}
