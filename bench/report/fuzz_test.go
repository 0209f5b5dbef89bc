package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/bench/result"
)

// FuzzRead: whatever is accepted writes and reads back as itself, and every
// report can be drawn from it.
func FuzzRead(f *testing.F) {
	one := ours("none", "badger", runs(1, 2))
	two := ours("validated", "badger", runs(1, 2))
	one.Split, one.Notes = []result.Part{{Name: "read", Time: 1}}, []string{"a note"}
	two.Latency.Counts = make([]int, len(result.Bounds)+1)
	two.Latency.Counts[3], two.Wrong.Lost = 4, 1
	gone := result.Row{Workload: "decrypt", System: "goolm", Missing: "not built"}
	for _, r := range []any{of(one, two, gone), of(), map[string]int{"format": 1}} {
		text, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Read(bytes.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrDocument) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		var b bytes.Buffer
		if err := Write(&b, r); err != nil {
			t.Fatalf("it cannot be written again: %v", err)
		}
		again, err := Read(&b)
		if err != nil || !cmp.Equal(r, again) {
			t.Fatalf("it is another one: %v\n%s", err, cmp.Diff(r, again))
		}
		if err := errors.Join(WriteText(io.Discard, r), WriteHTML(io.Discard, r), WriteComparison(io.Discard, r, again)); err != nil {
			t.Fatal(err)
		}
	})
}
