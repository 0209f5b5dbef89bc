package sqlitekv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/power"
)

// disk is a file system for SQLite that notes what is done to its files, so that
// what a power failure may have left can be made of it.
type disk struct {
	vfs.VFSFilename
	*power.Log
	name string // of the VFS

	mu       sync.Mutex
	failSync error                     // what syncs of the log return instead
	failLog  error                     // what writes to it return instead
	syncs    map[string][]vfs.SyncFlag // of each file
}

// newDisk registers a disk under a name of its own.
func newDisk(t *testing.T) *disk {
	t.Helper()
	d := &disk{VFSFilename: vfs.Find("").(vfs.VFSFilename), Log: new(power.Log), name: t.Name(), syncs: make(map[string][]vfs.SyncFlag)}
	vfs.Register(d.name, d)
	t.Cleanup(func() { vfs.Unregister(d.name) })
	return d
}

// powerDisk is a disk with a store. The file of the gate, with the witness, is not
// written through it.
type powerDisk struct {
	*disk
	path    string
	softLog int
}

func newPowerDisk(t *testing.T) powerDisk {
	t.Helper()
	d := powerDisk{disk: newDisk(t), softLog: softLog}
	d.path = filepath.Join(t.TempDir(), storeFile)
	openStore(t, d.path).Close()
	files, err := fileAt(d.path)
	if err != nil {
		t.Fatal(err)
	}
	d.Start(files)
	d.Beside = func() map[string][]byte {
		files, err := fileAt(d.path + gateSuffix)
		if err != nil {
			t.Error(err)
		}
		return files
	}
	return d
}

func fileAt(path string) (map[string][]byte, error) {
	data, err := os.ReadFile(path)
	return map[string][]byte{filepath.Base(path): data}, err
}

// Open implements power.Disk.
func (d powerDisk) Open() (kv.Store, error) {
	return Open(d.path, func(s *settings) { s.vfs, s.softLog = d.name, d.softLog })
}

// storeFile is the name of the stores on which the power fails.
const storeFile = "store.db"

// powerKit is what package power needs of SQLite.
var powerKit = power.Kit{
	Disk: func(t *testing.T) power.Disk { return newPowerDisk(t) },
	Open: func(dir string) (kv.Store, error) {
		s, err := Open(filepath.Join(dir, storeFile))
		if err != nil {
			return nil, err
		}
		if err := s.Check(context.Background()); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		return s, nil
	},
}

// fail makes syncs of the log return an error, or not.
func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failSync = err
}

// failWrites makes writes to the log return an error, or not.
func (d *disk) failWrites(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failLog = err
}

func (d *disk) synced(file string, flags vfs.SyncFlag) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncs[file] = append(d.syncs[file], flags)
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
		d.Log.Delete(filepath.Base(path))
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

// failure returns why a call fails that the test wants to fail.
func (f *diskFile) failure(err *error) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return *err
}

func (f *diskFile) WriteAt(p []byte, at int64) (int, error) {
	if err := f.failure(&f.disk.failLog); err != nil && strings.HasSuffix(f.name, logSuffix) {
		return 0, err
	}
	n, err := f.File.WriteAt(p, at)
	f.disk.Write(f.name, at, p[:n])
	return n, err
}

func (f *diskFile) Truncate(size int64) error {
	f.disk.Truncate(f.name, size)
	return f.File.Truncate(size)
}

func (f *diskFile) Sync(flags vfs.SyncFlag) error {
	if err := f.failure(&f.disk.failSync); err != nil {
		return err
	}
	err := f.File.Sync(flags)
	if err == nil {
		f.disk.synced(f.name, flags)
		f.disk.Log.Sync(f.name)
	}
	return err
}

// timesSynced returns how often a file was synced.
func (d *disk) timesSynced(file string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.syncs[file])
}
