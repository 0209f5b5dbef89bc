package sqlitekv

import (
	"encoding/binary"
	"os"
	"sync"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
)

// indexHead tells without a transaction whether anybody has committed. The index of
// SQLite's log, which all processes share, begins with 48 bytes, twice: how many
// commits there were, how far the log goes, and checksums. A commit is there for
// others once it has replaced both, and before it returns. So as long as they are what
// they were when a version was the newest, it still is.
//
// SQLite maps the file and this reads it, which on some file systems are not the same.
// So nothing is taken from it before it has shown a commit of this process. And a last
// process that closes a store removes the file: it is open only as long as the
// committer is connected.
type indexHead struct {
	mu      sync.Mutex
	file    *os.File // nil: nobody is connected, or it does not show what is committed
	proved  bool     // that it does
	seen    headBytes
	version kv.Version // that seen is of
	known   bool       // there is such a version
}

// headBytes are what the index begins with.
type headBytes [48]byte

// commits is a number that each commit raises by one, in the order of bytes of the
// machine.
func (h headBytes) commits() uint32 { return binary.NativeEndian.Uint32(h[8:]) }

// isSet is whether the index was ever written.
func (h headBytes) isSet() bool { return h[12] != 0 }

// indexState is what the index said at some time.
type indexState struct {
	head    headBytes
	read    bool       // it said something
	version kv.Version // that it is of
	known   bool       // likewise
}

// open is called when the committer has connected.
func (x *indexHead) open(path string) {
	x.close()
	if !seesLocks {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if file, err := files.OpenRegular(path+indexSuffix, os.O_RDONLY); err == nil {
		x.file = file
	}
}

// close is called before the committer disconnects.
func (x *indexHead) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.file != nil {
		x.file.Close()
	}
	x.file, x.proved, x.known = nil, false, false
}

// look returns what the index says now. Whoever begins to read after it reads that
// state or a later one.
func (x *indexHead) look() (s indexState) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.proved {
		return s
	}
	if s.head, s.read = x.now(); s.read && x.known && s.head == x.seen {
		s.version, s.known = x.version, true
	}
	return s
}

// now requires x.mu. What is being changed is not read.
func (x *indexHead) now() (head headBytes, ok bool) {
	if x.file == nil {
		return head, false
	}
	var twice [2 * len(head)]byte
	if n, _ := x.file.ReadAt(twice[:], 0); n < len(twice) {
		return head, false
	}
	head = headBytes(twice[:])
	return head, head == headBytes(twice[len(head):]) && head.isSet()
}

// saw notes the version of a state that was read after look, if nobody has committed
// meanwhile.
func (x *indexHead) saw(at indexState, version kv.Version) {
	if !at.read || at.known {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if head, ok := x.now(); x.proved && ok && head == at.head {
		x.seen, x.version, x.known = head, version, true
	}
}

// before returns what the index says while nobody else can commit, given the version
// of that state.
func (x *indexHead) before(version kv.Version) (s indexState) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.known && x.version == version {
		return indexState{head: x.seen, read: true}
	}
	s.head, s.read = x.now()
	return s
}

// committed notes the version that a commit has made since before, if nobody else has
// committed by now. An index in which the commit does not show is not looked at again.
func (x *indexHead) committed(before indexState, version kv.Version) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.known = false
	head, ok := x.now()
	switch {
	case !ok || !before.read:
	case head == before.head:
		x.file.Close()
		x.file, x.proved = nil, false
	case head.commits() == before.head.commits()+1:
		x.seen, x.version, x.known, x.proved = head, version, true, true
	}
}
