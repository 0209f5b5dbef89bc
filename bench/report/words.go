package report

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
)

// pawlSystem is the name of our own rows' system.
const pawlSystem = "pawl"

// systemTitle names what was measured: "Pawl, no cache", "stale cache",
// "vodozemac".
func systemTitle(row result.Row) string {
	if row.System != pawlSystem {
		return joined(row.System, row.Design)
	}
	if d, ok := design.Find(row.Design); ok {
		return d.Title
	}
	return joined("Pawl", row.Design)
}

func joined(a, b string) string {
	if b == "" {
		return a
	}
	return a + ", " + b
}

// nanoseconds prints a time with three digits: "1.24 ms".
func nanoseconds(ns float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= unit.size {
			return digits(ns/unit.size) + " " + unit.name
		}
	}
	return digits(ns) + " ns"
}

func short(d time.Duration) string { return nanoseconds(float64(d)) }

// digits prints a number with three significant digits, and no exponent.
func digits(x float64) string {
	if x == 0 {
		return "0"
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(math.Abs(x)))))
	return strconv.FormatFloat(x, 'f', min(decimals, 4), 64)
}

// known prints a cost, or a dash where it cannot be told.
func known(x float64) string {
	if x < 0 {
		return "-"
	}
	return digits(x)
}

func bytesText(n int64) string {
	switch {
	case n <= 0:
		return "-"
	case n >= 1<<30:
		return digits(float64(n)/(1<<30)) + " GiB"
	}
	return digits(float64(n)/(1<<20)) + " MiB"
}

// times prints a ratio and the middle half of it: "1.12 x (1.08 to 1.17)". Where
// that lies on both sides of 1 it does not say which of the two took more.
func times(s Spread) string {
	if s.undecided() {
		return fmt.Sprintf("no difference seen (%.2f to %.2f x)", s.Low, s.High)
	}
	return fmt.Sprintf("%.2f x (%.2f to %.2f)", s.Median, s.Low, s.High)
}

// engineTitle is an engine's name in a sentence.
func engineTitle(engine string) string {
	switch engine {
	case result.Badger:
		return "Badger in the process"
	case result.BadgerClient:
		return "Badger from another process"
	case result.SQLite:
		return "SQLite"
	}
	return engine
}
