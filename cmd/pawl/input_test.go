package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// TestLines: whatever the lines are, those that fit come as they are and each
// of the others gives one error.
func TestLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(maxLine-1, maxLine+2), rapid.Just(3*maxLine)), 0, 4).Draw(t, "lengths")
		var input strings.Builder
		for _, n := range lengths {
			input.WriteString(strings.Repeat("x", n) + "\n")
		}
		text := input.String()
		if rapid.Bool().Draw(t, "last line has no end") {
			text = strings.TrimSuffix(text, "\n")
		}
		r := newLineReader(strings.NewReader(text), maxLine)
		for _, n := range lengths {
			switch {
			case n == 0:
			case n > maxLine:
				if _, err := r.next(); !errors.Is(err, errTooLong) {
					t.Fatalf("a line of %d bytes: %v, want errTooLong", n, err)
				}
			default:
				if line, err := r.next(); len(line) != n || err != nil {
					t.Fatalf("a line of %d bytes: %d bytes, %v", n, len(line), err)
				}
			}
		}
		if line, err := r.next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last line: %d bytes, %v", len(line), err)
		}
		if r.read != int64(len(text)) {
			t.Fatalf("%d bytes were read, want %d", r.read, len(text))
		}
	})
}

func TestLinesFailure(t *testing.T) {
	r := newLineReader(io.MultiReader(strings.NewReader("one\ntw"), iotest.ErrReader(io.ErrClosedPipe)), maxLine)
	if line, err := r.next(); string(line) != "one" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	if line, err := r.next(); line != nil || !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("%q, %v; want the reader's error and no half line", line, err)
	}
}
