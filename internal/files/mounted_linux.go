package files

import "golang.org/x/sys/unix"

// IsMounted reports whether a file is mounted by itself, and so has another name
// in the place that it is mounted from. It is false where the system does not
// say.
func IsMounted(path string) bool {
	var found unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &found)
	return err == nil && found.Attributes_mask&found.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}
