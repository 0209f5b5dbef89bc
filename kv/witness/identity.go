package witness

// identity is what a file cannot take along when it is copied. It has no device
// number, which may change whenever a disk is mounted. Parts that the file
// system does not keep, or does not keep the same, are 0.
type identity struct {
	inode uint64
	birth uint64 // nanoseconds since 1970
	// volume names the part of a file system that the file is in, where the
	// system makes copies of such parts whose files have the same inodes and
	// times of birth.
	volume uint64
}

// is reports whether a file that was recorded as id is the one that has the
// identity now. Where the file system tells nothing, all files are alike; a file
// that was recorded with an identity and has none now is another.
func (id identity) is(now identity) bool {
	if id.inode == 0 && id.birth == 0 {
		return true
	}
	inodes := id.inode != 0 && now.inode != 0
	births := id.birth != 0 && now.birth != 0
	volumes := id.volume != 0 && now.volume != 0
	if inodes && id.inode != now.inode || births && id.birth != now.birth || volumes && id.volume != now.volume {
		return false
	}
	return inodes || births
}

// blindness says which copies do not show by the identity of a file, or nothing.
// In a file system of layers a file of a lower layer is only known by its time of
// birth: the copy that is made of it on the layer of a container has a new one,
// and its inode number.
func (id identity) blindness(layers bool) string {
	switch {
	case id.inode == 0 && id.birth == 0:
		return "the file system tells nothing by which a file and its copy differ"
	case layers && id.birth == 0:
		return "the file system has layers and keeps no times of birth: containers that begin with one image are alike"
	}
	return ""
}
