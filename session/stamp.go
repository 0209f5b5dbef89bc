package session

import (
	"time"

	"github.com/pawlkv/pawl/internal/record"
)

// Stamp is a time in milliseconds since 1970 by which sessions are ordered.
// 0 is never.
type Stamp int64

// NextStamp returns the stamp of something that happens now and after all of
// others: the clock's, or one more than the latest of others if the clock went
// back or has not moved.
func NextStamp(now time.Time, others ...Stamp) Stamp {
	next := max(Stamp(record.Millis(now)), 1)
	for _, other := range others {
		next = max(next, other+1)
	}
	return min(next, record.MaxMillis)
}

// Time returns the stamp as a time in UTC, the zero time for never.
func (s Stamp) Time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(s)).UTC()
}
