package demo

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pawlkv/pawl/bench/design"
)

func TestPercentile(t *testing.T) {
	var values []int64
	for i := int64(200); i > 0; i-- {
		values = append(values, i)
	}
	for p, want := range map[int]int64{0: 1, 50: 100, 99: 198, 100: 200} {
		if got := percentile(values, p); got != want {
			t.Errorf("percentile %d is %d, want %d", p, got, want)
		}
	}
	if got := percentile(nil, 99); got != 0 {
		t.Errorf("percentile of nothing is %d", got)
	}
	if got := percentile([]int64{7}, 50); got != 7 {
		t.Errorf("percentile of 7 is %d", got)
	}
}

// TestTable: it fits a terminal, also with long times.
func TestTable(t *testing.T) {
	var b strings.Builder
	s := story{w: &b}
	longest, _ := design.Find(design.NameValidated)
	s.table(Report{Designs: []Outcome{{title: longest.Title, Messages: MaxRounds - 1, Decrypted: MaxRounds - 1, Wedged: MaxRounds - 1, P50: 999, P99: time.Second.Microseconds(), Worst: 12_345_678, Retries: MaxRounds}}})
	for _, line := range strings.Split(b.String(), "\n") {
		if n := utf8.RuneCountInString(line); n > width {
			t.Errorf("%d characters: %s", len(line), line)
		}
	}
	for _, want := range []string{" 1ms ", " 1s ", " 12.35s "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
