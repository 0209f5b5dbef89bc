//go:build linux || darwin

package badgerkv

import "golang.org/x/sys/unix"

func diskSpace(dir string) (space, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return space{}, err
	}
	block := uint64(fs.Bsize)
	return space{free: fs.Bavail * block, total: fs.Blocks * block}, nil
}
