//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTime is what this process has used so far, in all its threads.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it fails for other arguments only
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
