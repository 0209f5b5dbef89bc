package workload

import (
	"context"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
)

// clientWorkloads are small ones, and what a run of 40 messages is in them.
var clientWorkloads = []struct {
	workload string
	params   result.Params
	want     expected
}{
	{Sync, result.Params{Batch: 20}, expected{40, 2, some}},
	{Share, result.Params{Peers: 10}, expected{40, 4, some}},
	{Room, result.Params{Peers: 3}, expected{40, 40, 0.5}},
	{Sync, result.Params{Batch: 10, Peers: 10, Processes: 2}, expected{40, 4, some}},
	{Share, result.Params{Peers: 10, Processes: 2}, expected{40, 4, some}},
	{Room, result.Params{Peers: 3, Processes: 2}, expected{40, 40, 0.5}},
}

// TestClient: what a whole client does comes to what it must, on every engine that can
// have it, and Pawl does nothing wrong.
func TestClient(t *testing.T) {
	effort.Processes(t)
	for _, c := range clientWorkloads {
		engines := Engines()
		if c.params.Processes > 1 {
			engines = []string{Badger, BadgerClient, SQLite}
		}
		cfg := tiny(t, c.workload, c.params, on(engines, ours))
		cfg.Messages = 40
		for _, r := range mustRun(t, cfg) {
			c.want.check(t, cfg, r)
		}
	}
}

// TestClientInside: one process is a whole client with every design, and that of
// another kind does as well as Pawl then.
func TestClientInside(t *testing.T) {
	for _, c := range clientWorkloads[:3] {
		cfg := tiny(t, c.workload, c.params, on([]string{Memory}, every()))
		cfg.Messages, cfg.Runs, cfg.Process = 40, 1, nil
		for _, r := range mustRun(t, cfg) {
			c.want.check(t, cfg, r)
		}
	}
}

// faultsOf are the kinds of faults of a row.
func faultsOf(w result.Wrong) string {
	var kinds []string
	for _, f := range w.Faults() {
		if f.Count > 0 {
			kinds = append(kinds, f.Short)
		}
	}
	return strings.Join(kinds, ", ")
}

// TestClientWrong: two processes of the designs in use elsewhere lose room keys, wedge
// sessions, and use message keys, indices and one-time keys twice. Those that hold do
// not.
func TestClientWrong(t *testing.T) {
	effort.Processes(t)
	const (
		sessions = "wedged, keys reused, room keys lost, one-time keys twice"
		twice    = "lost, indices reused"
	)
	for _, c := range []struct {
		workload string
		params   result.Params
		want     map[string]string // by design
	}{
		{Sync, result.Params{Batch: 20, Peers: 20}, map[string]string{
			design.NameStale: sessions, design.NameBigLock: sessions, design.NameLease: "wedged, room keys lost",
		}},
		{Share, result.Params{Peers: 5}, map[string]string{
			design.NameStale: "keys reused, room keys lost", design.NameBigLock: "keys reused, room keys lost", design.NameLease: "keys reused, room keys lost",
		}},
		{Room, result.Params{Peers: 3}, map[string]string{
			design.NameStale: twice, design.NameBigLock: twice, design.NameLease: twice,
		}},
	} {
		c.params.Processes = 2
		cfg := tiny(t, c.workload, c.params, on([]string{Badger}, every()))
		cfg.Messages, cfg.Process = 80, nil
		for _, r := range mustRun(t, cfg) {
			if got := faultsOf(r.Wrong); got != c.want[r.Design] || (got == "") != (len(r.Notes) == 0) {
				t.Errorf("%s, %s: %q, %+v, notes %q, want %q", r.Workload, r.Design, got, r.Wrong, r.Notes, c.want[r.Design])
			}
		}
	}
}

// forgetful is a store that loses what is written of a kind of record after the first
// few times, and says that it is stored.
type forgetful struct {
	design.Shared
	kind string
	few  int
}

// Unwrap keeps the engine's witness in sight: it is the same store.
func (f *forgetful) Unwrap() kv.Store { return f.Shared }

func (f *forgetful) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	kept := *b
	kept.Writes = nil
	for _, w := range b.Writes {
		if strings.Contains(w.Key, "/"+f.kind) {
			if f.few--; f.few < 0 {
				continue
			}
		}
		kept.Writes = append(kept.Writes, w)
	}
	if len(kept.Writes) == 0 { // so that there is a version
		kept.Writes = []kv.Write{{Key: "forgotten"}}
	}
	return f.Shared.Commit(ctx, &kept)
}

// TestOracle: a design that is broken on purpose is seen to be, in the way in which it
// is, though nothing that it says is an error.
func TestOracle(t *testing.T) {
	for _, c := range []struct {
		workload string
		params   result.Params
		forgets  string
		few      int
		want     string
	}{
		{Sync, result.Params{Batch: 20}, "group-in/", 0, "behind the token"},
		{Sync, result.Params{Batch: 20}, "nothing/", 0, ""},
		{Sync, result.Params{Batch: 20}, "otk-pool", 0, "one-time keys twice"},
		{Share, result.Params{Peers: 5}, "session/", 0, "wedged, room keys lost"},
		{Share, result.Params{Peers: 5}, "session/", 5, "wedged, keys reused, room keys lost"},
		{Share, result.Params{Peers: 5}, "group-shared/", 0, ""}, // each session is another's
		{Room, result.Params{Peers: 3}, "group-out", 0, "lost, indices reused"},
		{Room, result.Params{Peers: 3}, "replay/", 0, ""}, // nobody replays
	} {
		cfg := tiny(t, c.workload, c.params, on([]string{Badger}, []string{design.NameNone}))
		cfg.Messages, cfg.Process = 40, nil
		cfg.share = func(d design.Design, engine kv.Store, process string) design.Shared {
			return &forgetful{d.Share(engine, process), c.forgets, c.few}
		}
		r := mustRun(t, cfg)[0]
		if got := faultsOf(r.Wrong); got != c.want || r.Missing != "" {
			t.Errorf("%s without %s: %q, %+v, %q, want %q", c.workload, c.forgets, got, r.Wrong, r.Notes, c.want)
		}
	}
}
