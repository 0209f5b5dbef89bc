package sharekv

import "golang.org/x/sys/unix"

// peerProcess returns the process at the other end, or 0.
func peerProcess(fd int) int {
	pid, err := unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	if err != nil {
		return 0
	}
	return pid
}
