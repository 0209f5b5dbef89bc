package workload

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// bytesWritten returns how many bytes this process has caused to be sent to
// storage: those of pages that it made dirty, by a write or through a mapping.
func bytesWritten() int64 { return procNumber("/proc/self/io", "write_bytes:") }

// maxResident returns the most memory that this process had.
func maxResident() int64 {
	kib := procNumber("/proc/self/status", "VmHWM:")
	if kib < 0 {
		return -1
	}
	return kib << 10
}

// procNumber returns the number in a line of a file, -1 if there is none.
func procNumber(path, name string) int64 {
	file, err := os.Open(path)
	if err != nil {
		return -1
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), name)
		if !ok {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
			return n
		}
	}
	return -1
}
