package demo

import (
	"slices"
	"time"
)

const (
	tableHead = "%-21s %6s %6s %6s %6s %6s %7s %7s %7s"
	tableRow  = "%-21s %6d %6d %6d %6d %6s %7s %7s %7d"
)

func (s *story) table(r Report) {
	s.say("")
	s.say(tableHead, "design", "sent", "read", wedgedWord, reusedWord, "p50", "p99", "worst", "retries")
	for _, o := range r.Designs {
		s.say(tableRow, o.title, o.Messages, o.Decrypted, o.Wedged, o.Reused, short(o.P50), short(o.P99), short(o.Worst), o.Retries)
	}
	s.say("")
	s.say("Sent, read: messages. Wedged: sessions that a restart of all processes did not mend. Reused: message keys that two " +
		"ciphertexts left under. p50, p99, worst: one message read or written by the app or the NSE, other than those during which " +
		"it was itself killed or stopped. Retries: run again after a conflict, or the lease asked for again.")
}

// short prints microseconds with as many digits as anybody reads.
func short(micros int64) string {
	d := time.Duration(micros) * time.Microsecond
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
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
