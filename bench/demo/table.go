package demo

import (
	"slices"
	"time"
)

const (
	tableHead = "%-22s %8s %9s %8s %7s %9s %9s %9s %8s"
	tableRow  = "%-22s %8d %9d %8d %7d %9s %9s %9s %8d"
)

func (s *story) table(r Report) {
	s.say("")
	s.say(tableHead, "", "", "", "wedged", "reused", "", "", "", "")
	s.say(tableHead, "design", "messages", "decrypted", "sessions", "keys", "p50", "p99", "worst", "retries")
	for _, o := range r.Designs {
		s.say(tableRow, o.title, o.Messages, o.Decrypted, o.Wedged, o.Reused, short(o.P50), short(o.P99), short(o.Worst), o.Retries)
	}
	s.say("")
	s.say("Reused: message keys that two ciphertexts left under. p50, p99, worst: one message")
	s.say("read or written by the app or the NSE, other than those during which it was itself")
	s.say("killed or stopped. Retries: run again after a conflict, or the lease asked for again.")
}

// short prints microseconds with as many digits as anybody reads.
func short(micros int64) string {
	d := time.Duration(micros) * time.Microsecond
	if d >= 10*time.Millisecond {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

// percentile returns the smallest of the values that p of a hundred of them do
// not exceed, 0 for none.
func percentile(values []int64, p int) int64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}
