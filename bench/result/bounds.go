package result

import "slices"

// Bounds are those of Latency.Counts: the E12 series, twelve a decade and each
// about a fifth above the one before, from a microsecond to ten seconds.
var Bounds = bounds()

// preferred are the E12 series of preferred numbers, by ten.
var preferred = []Duration{10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82}

const (
	firstBound = Duration(1_000)          // a microsecond
	lastBound  = Duration(10_000_000_000) // ten seconds
)

func bounds() []Duration {
	var all []Duration
	for decade := firstBound; decade < lastBound; decade *= 10 {
		for _, p := range preferred {
			all = append(all, decade/10*p)
		}
	}
	return append(all, lastBound)
}

// Bin is the index of Counts that a duration belongs to.
func Bin(d Duration) int {
	i, exact := slices.BinarySearch(Bounds, d)
	if exact {
		i++ // a bound is the first of the next bin
	}
	return i
}
