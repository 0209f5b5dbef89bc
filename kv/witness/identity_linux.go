package witness

import (
	"os"

	"golang.org/x/sys/unix"
)

// renewable: a file that others have open can be replaced.
const renewable = true

// identityOf asks the file system who a file is.
func identityOf(file *os.File) (identity, error) {
	var found unix.Statx_t
	fd := int(file.Fd())
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &found); err != nil {
		return inodeOf(fd) // a sandbox without this call
	}
	var id identity
	if found.Mask&unix.STATX_BTIME != 0 {
		id.birth = uint64(found.Btime.Sec)*1e9 + uint64(found.Btime.Nsec)
	}
	if found.Mask&unix.STATX_INO != 0 && hasStableInodes(fd) {
		id.inode = found.Ino
	}
	return id, nil
}

func inodeOf(fd int) (identity, error) {
	var found unix.Stat_t
	if err := unix.Fstat(fd, &found); err != nil {
		return identity{}, err
	}
	if !hasStableInodes(fd) {
		return identity{}, nil
	}
	return identity{inode: found.Ino}, nil
}

// hasStableInodes is false for file systems that may number their files anew
// when they are mounted.
func hasStableInodes(fd int) bool {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return false
	}
	switch uint32(fs.Type) {
	case unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC,
		unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return false
	}
	return true
}

// isReplaced reports whether a file that is open has no name any more.
func isReplaced(file *os.File) (bool, error) {
	var found unix.Stat_t
	err := unix.Fstat(int(file.Fd()), &found)
	return found.Nlink == 0, err
}
