package result

import (
	"slices"
	"testing"
	"time"
)

// TestBin: a bound belongs to the bin after it, what is just less to the one
// before.
func TestBin(t *testing.T) {
	if !slices.IsSorted(Bounds) || len(Bounds) != 7*12+1 || Bounds[0] != time.Microsecond || Bounds[84] != 10*time.Second {
		t.Fatalf("bounds %v", Bounds)
	}
	for i, b := range Bounds {
		if got := Bin(b); got != i+1 {
			t.Errorf("%v is in bin %d, want %d", b, got, i+1)
		}
		if got := Bin(b - 1); got != i {
			t.Errorf("%v is in bin %d, want %d", b-1, got, i)
		}
	}
	if Bin(0) != 0 || Bin(time.Hour) != len(Bounds) {
		t.Errorf("nothing is in bin %d, an hour in %d", Bin(0), Bin(time.Hour))
	}
}
