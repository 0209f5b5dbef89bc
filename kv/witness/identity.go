package witness

// identity is what a file cannot take along when it is copied. It has no device
// number, which may change whenever a disk is mounted. Parts that the file
// system does not keep, or does not keep the same, are 0.
type identity struct {
	inode uint64
	birth uint64 // nanoseconds since 1970
}

// is reports whether a file that was recorded as id is the one that has the
// identity now. Where the file system tells nothing, all files are alike; a file
// that was recorded with an identity and has none now is another.
func (id identity) is(now identity) bool {
	if id == (identity{}) {
		return true
	}
	inodes := id.inode != 0 && now.inode != 0
	births := id.birth != 0 && now.birth != 0
	if inodes && id.inode != now.inode || births && id.birth != now.birth {
		return false
	}
	return inodes || births
}
