package record

import "time"

// MaxMillis is the end of the year 9999, the last that RFC 3339 can write.
const MaxMillis = 253402300799999

// Millis is how records keep a time: milliseconds since 1970, at least 1 and
// at most the end of the year 9999, because a clock may say anything. 0 is
// kept for the zero time, which means never.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	// UnixMilli overflows for the wildest times, so compare before.
	if t.After(time.UnixMilli(MaxMillis)) {
		return MaxMillis
	}
	if t.Before(time.UnixMilli(1)) {
		return 1
	}
	return t.UnixMilli()
}

// Time returns t as it will be after a record kept it: in UTC, without the
// parts below a millisecond.
func Time(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(Millis(t)).UTC()
}
