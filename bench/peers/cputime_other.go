//go:build !unix

package main

import "time"

var start = time.Now()

// cpuTime is the time passed, where the CPU time is not known.
func cpuTime() time.Duration { return time.Since(start) }
