package report

import (
	"math/rand/v2"
	"time"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
)

// madeUp is a result that no machine measured: it has everything that a report
// is drawn from, in sizes that can be told apart. The same one each time.
func madeUp() result.Result {
	m := maker{rand.New(rand.NewPCG(4, 2))}
	r := result.Result{
		Format: result.Format, Pawl: "v0.0.0-made-up", Command: []string{"pawl", "bench", "--seed", "7"},
		Started: time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC), Took: 17 * time.Minute, Seed: 7,
		Machine: result.Machine{
			OS: "linux", Arch: "amd64", Kernel: "6.1", CPU: "a made-up processor", Cores: 8, Memory: 16 << 30, FileSystem: "ext4",
			Noise: result.Noise{LoadBefore: 0.2, LoadAfter: 1.4, CPU: 0.02, Sync: 0.07},
		},
		Versions: []result.Version{{Name: "go", Version: "1.26.0"}, {Name: "badger", Version: "v4.9.6"}},
	}
	r.Rows = append(r.Rows, m.oneSession()...)
	r.Rows = append(r.Rows, m.sizes()...)
	r.Rows = append(r.Rows, m.processes()...)
	r.Rows = append(r.Rows, m.client()...)
	r.Rows = append(r.Rows, m.peers()...)
	return r
}

type maker struct{ *rand.Rand }

// row makes up a row whose messages take so long.
func (m maker) row(workload string, p result.Params, designName, engine string, each time.Duration) result.Row {
	row := result.Row{Workload: workload, Params: p, System: pawlSystem, Design: designName, Engine: engine, Durable: "everything"}
	for range 7 {
		took := time.Duration(float64(each) * (1 + 0.04*m.NormFloat64()) * 500)
		row.Runs = append(row.Runs, result.Run{Messages: 500, Took: took, CPU: took * 2 / 5})
	}
	row.Latency = result.Latency{P50: each, P99: 3 * each, P999: 8 * each}
	row.Cost = result.Cost{CPU: each * 2 / 5, Allocs: 71, Allocated: 9100, Written: 2345, Syncs: 1, Conflicts: 0.01, Retries: 0.01}
	row.Resident = 45 << 20
	return row
}

var madeUpEngines = []struct {
	name string
	cost time.Duration
}{{result.Memory, 20}, {result.Badger, 300}, {result.BadgerClient, 420}, {result.SQLite, 510}}

func (m maker) oneSession() []result.Row {
	var rows []result.Row
	for _, e := range madeUpEngines {
		for _, d := range []string{design.NameNone, design.NameValidated} {
			each := (e.cost + 50) * time.Microsecond
			if d == design.NameNone {
				each += 25 * time.Microsecond
			}
			row := m.row(result.Decrypt, result.Params{Sessions: 1, Batch: 1}, d, e.name, each)
			row.Split = m.split(each, d == design.NameNone)
			row.Latency.Counts = m.counts(each)
			rows = append(rows, row)
		}
	}
	return rows
}

func (m maker) split(each time.Duration, reads bool) []result.Part {
	var parts []result.Part
	left := each
	for i, name := range result.Parts {
		t := min(left, time.Duration(4+3*i)*time.Microsecond)
		if !reads && i < 3 {
			t = 0
		}
		if name == "sync" {
			t = left * 9 / 10
		}
		if name == "rest" {
			t = left
		}
		left -= t
		parts = append(parts, result.Part{Name: name, Time: t})
	}
	return parts
}

func (m maker) counts(each time.Duration) []int {
	counts := make([]int, len(result.Bounds)+1)
	for call := range 3500 {
		took := time.Duration(float64(each) * (0.9 + 0.12*m.ExpFloat64()))
		if call%50 == 0 { // behind something else on the disk
			took *= time.Duration(2 + call%80)
		}
		counts[result.Bin(took)]++
	}
	return counts
}

func (m maker) sizes() []result.Row {
	var rows []result.Row
	for i, n := range []int{50, 10_000, 1_000_000} {
		for _, dist := range []string{"uniform", "zipf"} {
			for _, d := range []string{design.NameNone, design.NameValidated} {
				each := time.Duration(350+20*i) * time.Microsecond
				if d == design.NameNone {
					each += 30 * time.Microsecond
				}
				if dist == "zipf" {
					each -= 9 * time.Microsecond
				}
				rows = append(rows, m.row(result.Decrypt, result.Params{Sessions: n, Distribution: dist, Batch: 1}, d, result.Badger, each))
			}
		}
	}
	return rows
}

func (m maker) processes() []result.Row {
	var rows []result.Row
	for _, same := range []bool{false, true} {
		for _, n := range []int{1, 2, 4, 8} {
			if same && n == 1 {
				continue
			}
			for k, d := range design.All() {
				each := time.Duration(400+60*k) * time.Microsecond / time.Duration(n)
				if same {
					each = time.Duration(400+60*k+20*n) * time.Microsecond
				}
				row := m.row(result.Processes, result.Params{Sessions: 16, Processes: n, Same: same && n > 1}, d.Name, result.Badger, each)
				if same && !d.Holds {
					row.Wrong = result.Wrong{Wedged: 3 * n, Lost: 41 * n / (k + 1), Reused: k}
				}
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// client is what a whole client does: alone on Badger, and two processes in turn.
func (m maker) client() []result.Row {
	var rows []result.Row
	for _, c := range []struct {
		workload string
		params   result.Params
		each     time.Duration
		wrong    result.Wrong // of the designs that do not hold
	}{
		{result.Sync, result.Params{Batch: 100, Peers: 100}, 240 * time.Microsecond, result.Wrong{Wedged: 95, RoomKeys: 285, Reused: 7, Republished: 5}},
		{result.Share, result.Params{Peers: 163}, 150 * time.Microsecond, result.Wrong{Reused: 326, RoomKeys: 326}},
		{result.Room, result.Params{Peers: 163, Size: 1024}, 360 * time.Microsecond, result.Wrong{Indices: 77}},
	} {
		for _, processes := range []int{1, 2} {
			c.params.Processes, c.params.Same = processes, processes > 1
			for _, d := range design.All() {
				each := c.each * time.Duration(processes)
				if d.Name == design.NameNone {
					each += each / 20
				}
				row := m.row(c.workload, c.params, d.Name, result.Badger, each)
				if processes > 1 && !d.Holds {
					row.Wrong = c.wrong
				}
				rows = append(rows, row)
			}
		}
	}
	return rows
}

func (m maker) peers() []result.Row {
	var rows []result.Row
	for _, batch := range []int{1, 100} {
		p := result.Params{Batch: batch}
		each := 400 * time.Microsecond / time.Duration(batch)
		rows = append(rows, m.row("peers decrypt", p, design.NameNone, result.Badger, each))
		other := m.row("peers decrypt", p, "", "sqlite, FULL", 3*each)
		other.System, other.Also = "mautrix-go with goolm", "three writes and four reads"
		rows = append(rows, other)
	}
	return append(rows, result.Row{Workload: "peers decrypt", System: "matrix-sdk-crypto", Missing: "not built: run 'make peers'"})
}
