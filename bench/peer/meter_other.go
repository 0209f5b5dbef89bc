//go:build !unix

package peer

import "time"

var start = time.Now()

func markForTrace() {}

// cpuTime is the time passed, where the CPU time is not known.
func cpuTime() time.Duration { return time.Since(start) }

func resident() int64 { return 0 }
