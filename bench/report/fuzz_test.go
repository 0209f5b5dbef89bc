package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzRead: whatever is accepted writes and reads back as itself, and every
// report can be drawn from it.
func FuzzRead(f *testing.F) {
	small := madeUp()
	small.Rows = small.Rows[len(small.Rows)-8:]
	one := madeUp()
	one.Rows = one.Rows[:2]
	for _, r := range []any{small, one, map[string]int{"format": 1}} {
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
