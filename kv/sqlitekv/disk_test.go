package sqlitekv

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
)

// disk is a file system for SQLite that notes what is done to its files, so that
// what a power failure may have left can be made of it.
type disk struct {
	vfs.VFSFilename

	mu       sync.Mutex
	ops      []op
	failSync error // what syncs of the log return instead
	failLog  error // what writes to it return instead
}

// op is one thing done to a file, or a mark.
type op struct {
	file string // base name
	kind string // write, truncate, sync, delete, mark
	at   int64
	data []byte
	mark int
}

// newDisk registers a disk under a name of its own.
func newDisk(t *testing.T) (*disk, string) {
	t.Helper()
	d := &disk{VFSFilename: vfs.Find("").(vfs.VFSFilename)}
	vfs.Register(t.Name(), d)
	t.Cleanup(func() { vfs.Unregister(t.Name()) })
	return d, t.Name()
}

func (d *disk) note(o op) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops = append(d.ops, o)
}

func (d *disk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ops)
}

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failSync = err
}

func (d *disk) failWrites(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failLog = err
}

func (d *disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, flags, err := d.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &diskFile{File: file, disk: d, name: filepath.Base(name.String())}, flags, nil
}

func (d *disk) Delete(path string, syncDir bool) error {
	err := d.VFSFilename.Delete(path, syncDir)
	if err == nil {
		d.note(op{file: filepath.Base(path), kind: "delete"})
	}
	return err
}

type diskFile struct {
	vfs.File
	disk *disk
	name string
}

func (f *diskFile) Unwrap() vfs.File { return f.File }

func (f *diskFile) SharedMemory() vfs.SharedMemory {
	return f.File.(vfs.FileSharedMemory).SharedMemory()
}

func (f *diskFile) WriteAt(p []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	failure := f.disk.failLog
	f.disk.mu.Unlock()
	if failure != nil && strings.HasSuffix(f.name, logSuffix) {
		return 0, failure
	}
	n, err := f.File.WriteAt(p, at)
	f.disk.note(op{file: f.name, kind: "write", at: at, data: bytes.Clone(p[:n])})
	return n, err
}

func (f *diskFile) Truncate(size int64) error {
	f.disk.note(op{file: f.name, kind: "truncate", at: size})
	return f.File.Truncate(size)
}

func (f *diskFile) Sync(flags vfs.SyncFlag) error {
	f.disk.mu.Lock()
	failure := f.disk.failSync
	f.disk.mu.Unlock()
	if failure != nil {
		return failure
	}
	err := f.File.Sync(flags)
	if err == nil {
		f.disk.note(op{file: f.name, kind: "sync"})
	}
	return err
}

// crash returns what the files may hold after a power failure behind the first
// n operations: all that was synced, and of the rest what keep lets through,
// which may also tear a write.
func crash(begin map[string][]byte, ops []op, keep func() (whole, torn bool)) map[string][]byte {
	safe := make(map[string][]byte)
	for name, data := range begin {
		safe[name] = bytes.Clone(data)
	}
	pending := make(map[string][]op)
	for _, o := range ops {
		switch o.kind {
		case "sync":
			for _, p := range pending[o.file] {
				safe[o.file] = p.apply(safe[o.file])
			}
			delete(pending, o.file)
		case "delete":
			delete(safe, o.file)
			delete(pending, o.file)
		case "write", "truncate":
			pending[o.file] = append(pending[o.file], o)
		}
	}
	for name, list := range pending {
		for _, o := range list {
			whole, torn := keep()
			if torn {
				o.data = o.data[:len(o.data)/2]
			}
			if whole || torn {
				safe[name] = o.apply(safe[name])
			}
		}
	}
	return safe
}

func (o *op) apply(data []byte) []byte {
	if o.kind == "truncate" {
		return append(data, make([]byte, max(0, o.at-int64(len(data))))...)[:o.at]
	}
	if end := o.at + int64(len(o.data)); end > int64(len(data)) {
		data = append(data, make([]byte, end-int64(len(data)))...)
	}
	copy(data[o.at:], o.data)
	return data
}

// loses returns ways in which a power failure treats what was not synced.
func loses(rng *rand.Rand) map[string]func() (whole, torn bool) {
	return map[string]func() (bool, bool){
		"nothing": func() (bool, bool) { return true, false },
		"all":     func() (bool, bool) { return false, false },
		"some":    func() (bool, bool) { n := rng.IntN(4); return n < 2, n == 2 },
	}
}

// writeImage puts the files of an image into a new directory.
func writeImage(t *testing.T, files ...map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	all := make(map[string][]byte)
	for _, f := range files {
		maps.Copy(all, f)
	}
	for name, data := range all {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "store.db")
}
