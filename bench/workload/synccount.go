package workload

import (
	"crypto/rand"
	"sync/atomic"
	"time"

	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// syncCount is the files of a store for SQLite, with their syncs counted.
type syncCount struct {
	vfs.VFSFilename
	name         string
	calls, nanos atomic.Int64
}

// countSyncs registers a count under a name of its own: a program may have
// several stores open.
func countSyncs() *syncCount {
	c := &syncCount{VFSFilename: vfs.Find(sqlitekv.VFS).(vfs.VFSFilename), name: "pawl-" + rand.Text()}
	vfs.Register(c.name, c)
	return c
}

func (c *syncCount) unregister() { vfs.Unregister(c.name) }

func (c *syncCount) read() (int64, time.Duration) {
	return c.calls.Load(), time.Duration(c.nanos.Load())
}

// OpenFilename implements vfs.VFSFilename.
func (c *syncCount) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, flags, err := c.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &countedFile{file, c}, flags, nil
}

// countedFile is all that the file is to SQLite otherwise.
type countedFile struct {
	vfs.File
	count *syncCount
}

func (f *countedFile) Sync(flags vfs.SyncFlag) error {
	defer func(began time.Time) {
		f.count.calls.Add(1)
		f.count.nanos.Add(int64(time.Since(began)))
	}(time.Now())
	return f.File.Sync(flags)
}

func (f *countedFile) Unwrap() vfs.File               { return f.File }
func (f *countedFile) SharedMemory() vfs.SharedMemory { return vfsutil.WrapSharedMemory(f.File) }
func (f *countedFile) MemoryMapper() vfs.MemoryMapper { return vfsutil.WrapMemoryMapper(f.File) }
func (f *countedFile) SizeHint(size int64) error      { return vfsutil.WrapSizeHint(f.File, size) }
func (f *countedFile) HasMoved() (bool, error)        { return vfsutil.WrapHasMoved(f.File) }
func (f *countedFile) LockState() vfs.LockLevel       { return vfsutil.WrapLockState(f.File) }
func (f *countedFile) PersistWAL() bool               { return vfsutil.WrapPersistWAL(f.File) }
func (f *countedFile) SetPersistWAL(keep bool)        { vfsutil.WrapSetPersistWAL(f.File, keep) }
func (f *countedFile) PowersafeOverwrite() bool       { return vfsutil.WrapPowersafeOverwrite(f.File) }
func (f *countedFile) SetPowersafeOverwrite(psow bool) {
	vfsutil.WrapSetPowersafeOverwrite(f.File, psow)
}
