package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
)

// runs takes so many microseconds each, of one message.
func runs(took ...int) []result.Run {
	var all []result.Run
	for _, us := range took {
		all = append(all, result.Run{Messages: 1, Took: time.Duration(us) * time.Microsecond, CPU: time.Duration(us) * time.Microsecond / 4})
	}
	return all
}

func ours(designName, engine string, r []result.Run) result.Row {
	return result.Row{Workload: result.Decrypt, Params: result.Params{Sessions: 1, Batch: 1}, System: pawlSystem, Design: designName, Engine: engine, Runs: r}
}

// TestRatio: it is taken in each repetition. The machine was ten times as slow
// in the second, in both.
func TestRatio(t *testing.T) {
	none, cached := ours("none", "badger", runs(110, 1200, 130, 140, 150)), ours("validated", "badger", runs(100, 1000, 100, 100, 100))
	got := Measure(TimePerMessage).Ratio(none, cached)
	if diff := cmp.Diff(Spread{1.2, 1.3, 1.4, 5}, got); diff != "" {
		t.Error(diff)
	}
	if s := Measure(CPUPerMessage).Ratio(none, result.Row{}); s.N != 0 {
		t.Errorf("a ratio to nothing: %v", s)
	}
}

// TestQuantiles of lists that have none exactly there.
func TestQuantiles(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Spread
	}{
		{[]float64{7}, Spread{7, 7, 7, 1}},
		{[]float64{4, 2}, Spread{2.5, 3, 3.5, 2}},
		{[]float64{5, 1, 2, 3, 4}, Spread{2, 3, 4, 5}},
		{nil, Spread{}},
	} {
		if got := spread(c.values); got != c.want {
			t.Errorf("%v: %v, want %v", c.values, got, c.want)
		}
	}
}

// TestHeadline: of all answers, the one on Badger with one message a commit,
// wherever it is in the document.
func TestHeadline(t *testing.T) {
	r := madeUp()
	const want = "Without a cache, beside a validated one: time 1.06 x (1.06 to 1.09), CPU 1.06 x (1.06 to 1.09). " +
		"A message takes 377 µs on Badger in the process (decrypt, 1 session, 1 message a commit)."
	if got := Headline(r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for i := range len(r.Rows) / 2 {
		j := len(r.Rows) - 1 - i
		r.Rows[i], r.Rows[j] = r.Rows[j], r.Rows[i]
	}
	if got := Headline(r); got != want {
		t.Errorf("turned round: %s", got)
	}
	if got := Headline(result.Result{Rows: r.Rows[:1]}); got != noAnswer {
		t.Errorf("without an answer: %s", got)
	}
}

// TestHeadlineWithoutCPU: what cannot be told is not told.
func TestHeadlineWithoutCPU(t *testing.T) {
	none, cached := runs(120), runs(100)
	none[0].CPU = -1
	r := result.Result{Rows: []result.Row{ours("none", "badger", none), ours("validated", "badger", cached)}}
	if got := Headline(r); strings.Contains(got, "CPU") || !strings.Contains(got, "time 1.20 x (1.20 to 1.20). A message") {
		t.Error(got)
	}
}

// TestHeadlineWithoutDifference: what lies on both sides of 1 is no figure, in the
// sentence, in the table of answers and in the column.
func TestHeadlineWithoutDifference(t *testing.T) {
	none, cached := ours("none", "badger", runs(90, 100, 110, 120, 95)), ours("validated", "badger", runs(100, 100, 100, 100, 100))
	r := result.Result{Rows: []result.Row{none, cached}}
	const want = "Without a cache, beside a validated one: time no difference seen (0.95 to 1.10 x), CPU no difference seen (0.95 to 1.10 x). " +
		"A message takes 100 µs on Badger in the process (decrypt, 1 session, 1 message a commit)."
	if got := Headline(r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := Answers(r)[0].page().Time; got != "no difference seen (0.95 to 1.10 x)" {
		t.Errorf("the table says %q", got)
	}
	if got := comparisons(r.Rows)[0].against(cached); got != "~1" {
		t.Errorf("the column says %q", got)
	}
}

// TestHeadlineOfAQuickRun gives no figure, and its page draws no lines over sizes.
func TestHeadlineOfAQuickRun(t *testing.T) {
	r := madeUp()
	r.Quick = true
	if got := Headline(r); got != quickAnswer {
		t.Error(got)
	}
	plots, err := Plots(r)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range plots {
		names = append(names, p.Name)
	}
	want := slices.DeleteFunc(slices.Clone(plotNames), func(name string) bool {
		return strings.HasPrefix(name, "processes-") || strings.HasPrefix(name, "size-")
	})
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

// TestVerdict: only a design that claims to do nothing wrong breaks a promise.
func TestVerdict(t *testing.T) {
	r := madeUp()
	if err := Verdict(r); err != nil {
		t.Errorf("wrong designs were found wrong: %v", err)
	}
	for i, row := range r.Rows {
		if row.Design == design.NameNone && row.Params.Processes == 4 && row.Params.Same {
			r.Rows[i].Wrong = result.Wrong{Lost: 2, Reused: 1}
		}
	}
	const want = "a promise is broken: Pawl, no cache, badger, processes (16 sessions, 4 processes, same sessions): 2 lost, 1 keys reused"
	if err := Verdict(r); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestFaults adds up by design, and leaves out what one process did.
func TestFaults(t *testing.T) {
	all := FaultsOf(madeUp(), false)
	if len(all) != len(design.All()) {
		t.Fatalf("%d designs, want %d", len(all), len(design.All()))
	}
	want := Faults{Title: "stale cache", Messages: 6 * 7 * 500, Wrong: result.Wrong{Wedged: 3 * (2 + 4 + 8), Lost: 41 * (2 + 4 + 8)}}
	if diff := cmp.Diff(want, all[0]); diff != "" {
		t.Error(diff)
	}
	if last := all[len(all)-1]; !last.Claims || last.Any() {
		t.Errorf("%+v", last)
	}
}

// TestClientFaults: those of whole clients stand by themselves, with kinds of their own.
func TestClientFaults(t *testing.T) {
	all := FaultsOf(madeUp(), true)
	if len(all) != len(design.All()) {
		t.Fatalf("%d designs, want %d", len(all), len(design.All()))
	}
	wrong := result.Wrong{Wedged: 95, Reused: 333, RoomKeys: 611, Indices: 77, Republished: 5}
	if diff := cmp.Diff(Faults{Title: "stale cache", Messages: 3 * 7 * 500, Wrong: wrong}, all[0]); diff != "" {
		t.Error(diff)
	}
	const want = "95 wedged, 333 keys reused, 611 room keys lost, 77 indices reused, 5 one-time keys twice"
	if got := wrongText(all[0].Wrong); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestClient: the answer for a whole client is of one process on Badger, and of whole
// calls, and what two processes get wrong; where it was not measured there is none,
// nor in a quick run.
func TestClient(t *testing.T) {
	r := madeUp()
	const want = "A whole client without a cache, on Badger in the process, and its time beside a validated one: " +
		"a sync with 100 room keys takes 24.5 ms, no difference seen (0.99 to 1.03 x); a room key for 163 devices takes 25.6 ms, 1.06 x (1.02 to 1.13); " +
		"a message of a room takes 386 µs, 1.10 x (1.08 to 1.17). " +
		"By two processes in turn, so many faults to 1,000 keys and messages: stale cache 107; one lock in each process 107; lease and generation 107; " +
		"and none with one blob for the account; Pawl, no cache; Pawl, validated cache."
	if got := Client(r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r.Rows = slices.DeleteFunc(r.Rows, func(row result.Row) bool { return row.Params.Processes == 2 || row.Workload == result.Share })
	if got := Client(r); !strings.Contains(got, "a sync with 100 room keys takes 24.5 ms, no difference seen (0.99 to 1.03 x); a message of a room takes") || strings.Contains(got, "faults") {
		t.Errorf("of two workloads by one process: %s", got)
	}
	quick := madeUp()
	quick.Quick = true
	if got := Client(quick) + Client(result.Result{}); got != "" {
		t.Errorf("a quick run and an empty one say %q", got)
	}
}

// TestRoundStep: an axis is counted in round numbers.
func TestRoundStep(t *testing.T) {
	for least, want := range map[float64]float64{0: 1, 0.03: 0.05, 1: 1, 1.1: 2, 49: 50, 51: 100, 2000: 2000} {
		if got := roundStep(least); got != want {
			t.Errorf("at least %v: %v, want %v", least, got, want)
		}
	}
}
