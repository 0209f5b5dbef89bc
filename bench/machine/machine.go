package machine

import (
	"runtime"

	"github.com/pawlkv/pawl/bench/result"
)

// Describe tells what can be told of this machine, and of the file system that a
// directory is on. What cannot is left empty; the noise is a Gauge's.
func Describe(dir string) result.Machine {
	m := result.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU()}
	describe(&m, dir)
	return m
}
