package holder

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Of returns the id of the process that has a file locked as a whole, or 0; see
// [Name]. It opens no lock, and so takes none away.
func Of(path string) int {
	var file unix.Stat_t
	if unix.Stat(path, &file) != nil {
		return 0
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer locks.Close()
	device := fmt.Sprintf("%02x:%02x", unix.Major(uint64(file.Dev)), unix.Minor(uint64(file.Dev)))
	if pid := find(locks, device, file.Ino); pid != os.Getpid() {
		return pid
	}
	return 0
}

// find returns the process of a lock in a list as the kernel prints it:
//
//	1: FLOCK  ADVISORY  WRITE 4711 fe:00:9977962 0 EOF
//	1: -> FLOCK  ADVISORY  WRITE 4712 fe:00:9977962 0 EOF
//
// The second waits for the first. A file system may have another device there
// than its files say (Btrfs): then the inode decides, if no other file's lock has
// the same.
func find(locks io.Reader, device string, inode uint64) int {
	byInode := 0
	lines := bufio.NewScanner(locks)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) != 8 || f[1] != "FLOCK" {
			continue
		}
		pid, err := strconv.Atoi(f[4])
		on, number := splitInode(f[5])
		if err != nil || pid <= 0 || number != strconv.FormatUint(inode, 10) {
			continue
		}
		if on == device {
			return pid
		}
		if byInode != 0 {
			return 0
		}
		byInode = pid
	}
	return byInode
}

func splitInode(file string) (device, inode string) {
	at := strings.LastIndexByte(file, ':')
	return file[:max(at, 0)], file[at+1:]
}
