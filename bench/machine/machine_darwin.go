package machine

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/pawlkv/pawl/bench/result"
)

func describe(m *result.Machine, dir string) {
	m.Kernel, _ = unix.Sysctl("kern.osrelease")
	m.CPU, _ = unix.Sysctl("machdep.cpu.brand_string")
	if bytes, err := unix.SysctlUint64("hw.memsize"); err == nil {
		m.Memory = int64(bytes)
	}
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) == nil {
		m.FileSystem = unix.ByteSliceToString(s.Fstypename[:])
	}
}

func load() float64 { return 0 }

func syncData(file *os.File) error { return file.Sync() }
