package calls

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

// assigned are the first lines of numbers.txt, which are never changed: a code that is
// gone keeps its line. New ones come after them, and then the number and sum here.
const (
	assigned    = 113
	assignedSum = "39d6900ae19bd8f1"
)

func TestNumbersAreAssignedOnce(t *testing.T) {
	lines := strings.SplitAfter(numbersText, "\n")
	if len(lines) < assigned {
		t.Fatalf("%d codes have numbers, %d had", len(lines), assigned)
	}
	sum := sha256.Sum256([]byte(strings.Join(lines[:assigned], "")))
	if got := hex.EncodeToString(sum[:8]); got != assignedSum {
		t.Errorf("the first %d lines of numbers.txt were changed (%s): programs were built with them; add lines at the end", assigned, got)
	}
	used := map[string]string{}
	for line := range strings.Lines(numbersText) {
		number, code, _ := strings.Cut(strings.TrimSpace(line), " ")
		if other, twice := used[number]; twice || number == "0" {
			t.Errorf("%s is the number of %s and %s", number, other, code)
		}
		used[number] = code
	}
	if len(used) != len(numbers) {
		t.Errorf("%d numbers are of %d codes", len(used), len(numbers))
	}
}

// TestEveryCodeHasANumber: also those that are added to pawl.Codes.
func TestEveryCodeHasANumber(t *testing.T) {
	for _, c := range Codes() {
		if c.Number == 0 {
			t.Errorf("%s has no number: add it at the end of numbers.txt, and to include/pawl.h", c.Name)
		}
		if c.Means == "" || c.Remedy == "" {
			t.Errorf("%s says nothing", c.Name)
		}
	}
}
