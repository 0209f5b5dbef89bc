package witness

import (
	"os"

	"golang.org/x/sys/unix"
)

// renewable: a file that others have open can be replaced.
const renewable = true

// identityOf asks the file system who a file is.
func identityOf(file *os.File) (id identity, blind string, err error) {
	fd := int(file.Fd())
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		fs.Type = unix.FUSE_SUPER_MAGIC // as of one that tells little
	}
	if id.inode, id.birth, err = stat(fd); err != nil {
		return identity{}, "", err
	}
	kind := uint32(fs.Type)
	if !hasStableInodes(kind) {
		id.inode = 0
	}
	if copiesVolumes(kind) {
		id.volume = uint64(uint32(fs.Fsid.Val[0])) | uint64(uint32(fs.Fsid.Val[1]))<<32
	}
	return id, id.blindness(kind == unix.OVERLAYFS_SUPER_MAGIC), nil
}

// stat returns a file's inode number and time of birth, 0 where there is none.
func stat(fd int) (inode, birth uint64, err error) {
	var found unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &found) != nil {
		var found unix.Stat_t // a sandbox without that call
		err := unix.Fstat(fd, &found)
		return found.Ino, 0, err
	}
	if found.Mask&unix.STATX_BTIME != 0 {
		birth = uint64(found.Btime.Sec)*1e9 + uint64(found.Btime.Nsec)
	}
	return found.Ino, birth, nil
}

// hasStableInodes is false for file systems that may number their files anew
// when they are mounted.
func hasStableInodes(kind uint32) bool {
	switch kind {
	case unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC,
		unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return false
	}
	return true
}

// zfsSuperMagic is OpenZFS's.
const zfsSuperMagic = 0x2fc12fc1

// copiesVolumes is true for file systems whose snapshots and clones hold the same
// files, and whose statfs tells one from another by an id (f_fsid) that lasts:
// subvolumes of Btrfs, data sets of ZFS. Others make it of the device's number.
func copiesVolumes(kind uint32) bool {
	return kind == unix.BTRFS_SUPER_MAGIC || kind == zfsSuperMagic
}

// standingOf asks the system what became of a file that is open, and for no more. Once
// somebody has asked for a file's times, Linux (6.13 on) notes when it is written to next
// to the nanosecond, and the next sync of the store has to take that to the disk first.
func standingOf(file *os.File) (standing, error) {
	fd := int(file.Fd())
	const wanted = unix.STATX_SIZE | unix.STATX_NLINK
	var told unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, wanted, &told) == nil && told.Mask&wanted == wanted {
		return standing{size: int64(told.Size), replaced: told.Nlink == 0}, nil
	}
	var found unix.Stat_t // a sandbox without that call
	if err := unix.Fstat(fd, &found); err != nil {
		return standing{}, &os.PathError{Op: "stat", Path: file.Name(), Err: err}
	}
	return standing{size: found.Size, replaced: found.Nlink == 0}, nil
}
