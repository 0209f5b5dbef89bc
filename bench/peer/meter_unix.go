//go:build unix

package peer

import (
	"runtime"
	"syscall"
	"time"
)

// markForTrace shows whoever traces this process where measuring begins and ends.
func markForTrace() { _ = syscall.Fsync(-1) }

func cpuTime() time.Duration {
	u := rusage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the most memory that this process ever had.
func resident() int64 {
	kib := int64(1024)
	if runtime.GOOS == "darwin" {
		kib = 1 // it counts in bytes
	}
	return int64(rusage().Maxrss) * kib
}

func rusage() (u syscall.Rusage) {
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it fails for other arguments only
	return u
}
