package sqlitekv

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
)

// home keeps a store one store. All that belongs to it lies beside its name, so
// whoever has the file open has a shared lock on a byte of it whose place says in
// which directory, and under which name there, and goes on only if all others are
// at the same place. So a file that is open is not opened after it was renamed,
// nor by a name that the system does not count. What connects later makes sure
// that it is still the same file.
type home struct {
	path string
	self os.FileInfo // set when the store is opened

	// astray: the log has another index than ours.
	astray atomic.Bool

	mu    sync.Mutex
	conns int
	file  *os.File // while there are connections
}

// enter is called before a connection is opened. Files that are only read have no
// home.
func (h *home) enter() error {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns == 0 {
		if err := h.claim(); err != nil {
			return err
		}
	}
	h.conns++
	return nil
}

// leave is called when it is closed.
func (h *home) leave() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns--; h.conns == 0 && h.file != nil {
		h.file.Close() // which unlocks
		h.file = nil
	}
}

func (h *home) claim() (err error) {
	if !seesLocks {
		return nil
	}
	dir, err := os.Stat(filepath.Dir(h.path))
	if err != nil {
		return translate(err)
	}
	file, err := files.OpenRegular(h.path, os.O_RDONLY)
	if err != nil {
		return translate(err)
	}
	at := namesAt + nameHash(place(dir), filepath.Base(h.path))
	setLock(file, at, true)
	for _, other := range otherLocks(file, namesAt, namesTo, nil) {
		if other != at {
			file.Close()
			return fmt.Errorf("%w: %s is open under another name (it was renamed, linked or mounted meanwhile): use that one, or close it there first",
				kv.ErrUnusable, h.path)
		}
	}
	h.file = file
	return nil
}

// nameHash numbers a name in a directory. Where the system takes two spellings
// for one name, the files beside it are the same too.
func nameHash(dir, name string) int64 {
	h := fnv.New64a()
	fmt.Fprint(h, dir, "/", strings.ToLower(name))
	return int64(h.Sum64() & (1<<nameBits - 1))
}

// check makes sure that the file is still at its path.
func (h *home) check() error {
	if h == nil {
		return nil
	}
	now, err := os.Stat(h.path)
	if err != nil || h.self != nil && !os.SameFile(now, h.self) {
		return fmt.Errorf("%w: its file was moved, removed or replaced: open it again", kv.ErrUnusable)
	}
	return nil
}
