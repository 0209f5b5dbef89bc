package sqlitekv

import (
	"os"
	"slices"
	"sync"

	"github.com/pawlkv/pawl/internal/files"
)

// readers tells which processes are in the middle of a read, and in which: what
// SQLite locks says only that somebody is. Each process that reads has a shared
// lock on one byte of the database's file, far behind its end, whose place says
// who it is and counts its reads. A process that is killed has none. It is
// advice: nothing depends on it, and where the system cannot tell where others'
// locks are nobody is named.
type readers struct {
	path string

	mu     sync.Mutex
	file   *os.File // nil before it is needed
	within int      // reads under way
	count  int64    // of times that there was one
}

// reading is a time during which a process was reading.
type reading int64

// Places of locks in the file, away from what SQLite locks. A reader's has a
// number of countBits bits that counts, above it the process; see home for names.
const (
	countBits = 20
	readersAt = 1 << 60
	readersTo = readersAt << 1
	namesAt   = readersTo
	nameBits  = 40
	namesTo   = namesAt + 1<<nameBits
)

func (r reading) process() int { return int(r &^ readersAt >> countBits) }

func (r *readers) place() reading {
	return readersAt | reading(os.Getpid())<<countBits | reading(r.count&(1<<countBits-1))
}

// begin notes that this process reads. Nil readers note nothing.
func (r *readers) begin() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.within++; r.within > 1 {
		return
	}
	r.open()
	if r.count++; r.file != nil {
		setLock(r.file, int64(r.place()), true)
	}
}

// open opens the file where that is of use. Callers hold r.mu.
func (r *readers) open() {
	if r.file == nil && seesLocks {
		r.file, _ = files.OpenRegular(r.path, os.O_RDONLY)
	}
}

// end notes that a read is over.
func (r *readers) end() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.within--; r.within == 0 && r.file != nil {
		setLock(r.file, int64(r.place()), false)
	}
}

// now returns who is in the middle of a read, and in which, in no order.
func (r *readers) now() []reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []reading
	if r.within > 0 {
		found = append(found, r.place())
	}
	if r.open(); r.file == nil {
		return found
	}
	for _, at := range otherLocks(r.file, readersAt, readersTo, nil) {
		found = append(found, reading(at))
	}
	return found
}

// still returns those of some reads that are under way now.
func (r *readers) still(before []reading) []reading {
	if len(before) == 0 {
		return nil
	}
	now := r.now()
	return slices.DeleteFunc(slices.Clone(before), func(b reading) bool { return !slices.Contains(now, b) })
}

// processesOf returns the processes that are in some reads.
func processesOf(in []reading) []int {
	var ids []int
	for _, r := range in {
		ids = append(ids, r.process())
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// close lets go of the file until it is needed again. Reads that are under way are not
// seen from then on.
func (r *readers) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}
