//go:build !linux

package workload

// bytesWritten returns -1: the system does not tell.
func bytesWritten() int64 { return -1 }

// maxResident returns -1: it is not asked for here.
func maxResident() int64 { return -1 }
