package badgerkv

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
)

// Files of ours in the directory, beside Badger's and sharekv's.
const (
	formatName   = "pawl.format"   // says that this is a store, its format, and its ID
	creatingName = "pawl.creating" // the same before anything was stored
	raisingName  = "pawl.raising"  // the same while its format is raised
	witnessName  = "pawl.witness"  // how far the store had come, for whoever asks Store.Witness
)

const fileMode = 0o600

// opener opens stores with some settings.
type opener settings

var _ sharekv.Opener = (*opener)(nil)

// Limits implements sharekv.Opener.
func (o *opener) Limits() kv.Limits { return (*settings)(o).limits() }

// Identify implements sharekv.Opener.
func (o *opener) Identify(dir string) (sharekv.ID, error) {
	_, id, err := readFormat(filepath.Join(dir, formatName))
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	if err := checkOurs(dir, o.name); err != nil {
		return id, err
	}
	return id, err
}

// Prepare implements sharekv.Opener.
func (o *opener) Prepare(place *sharekv.Place) error {
	d := o.directory(place)
	return alone(d.Path, d.prepare)
}

// Open implements sharekv.Opener.
func (o *opener) Open(place *sharekv.Place) (sharekv.LocalEngine, error) {
	if o.hooks.lock != nil {
		o.hooks.lock()
	}
	d := o.directory(place)
	if err := d.identify(); err != nil {
		return nil, err
	}
	db, err := openDatabase(d)
	if err != nil {
		return nil, err
	}
	return db, nil
}

// directory is a store's, locked.
type directory struct {
	settings
	*sharekv.Place
	id     sharekv.ID
	format atomic.Int64 // kv.Format

	writing sync.Mutex // held while the format file is written
}

func (o *opener) directory(place *sharekv.Place) *directory {
	return &directory{settings: settings(*o), Place: place}
}

// errNoFormat: nothing says which format the store has.
var errNoFormat = fmt.Errorf("%w: the rest of a store is there, and its %s is not: put the file back", kv.ErrCorrupt, formatName)

// checkOurs refuses a directory with other people's files, before anything in
// it is changed.
func checkOurs(path, name string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("badgerkv: open the store: %w", err)
	}
	others := slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !sharekv.IsOwn(e.Name()) })
	if !others {
		return nil
	}
	// A listing may miss a file that is being renamed.
	for _, name := range []string{creatingName, formatName} {
		if _, err := os.Lstat(filepath.Join(path, name)); err == nil {
			return nil
		}
	}
	if isManifest(path) {
		return errNoFormat
	}
	return fmt.Errorf("%w: %s", ErrForeign, name)
}

// keepFormat writes the format file again if it was removed, replaced or damaged
// while the store was open, and reports whether it was.
func (d *directory) keepFormat() (renewed bool, err error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	if d.creating() || d.hasFormat() {
		return false, nil
	}
	if err := files.ClearIrregular(d.File(formatName)); err != nil {
		return false, err
	}
	return true, d.write(kv.Format(d.format.Load()))
}

// hasFormat reports whether the format file is as we have found or written it.
func (d *directory) hasFormat() bool {
	info, err := os.Lstat(d.File(formatName))
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != fileMode {
		return false
	}
	format, id, err := readFormat(d.File(formatName))
	return err == nil && format == kv.Format(d.format.Load()) && id == d.id
}

// prepare brings the directory to where Badger's files may be checked.
func (d *directory) prepare() error {
	if err := d.checkNames(); err != nil {
		return err
	}
	if _, _, err := readFormat(d.File(formatName)); errors.Is(err, fs.ErrNotExist) {
		return d.begin()
	} else if err != nil {
		return err
	}
	return d.tidy()
}

// checkNames refuses a directory that was copied by hard links: Badger writes its
// manifest and its logs in place. Tables are not written again.
func (d *directory) checkNames() error {
	entries, err := os.ReadDir(d.Path)
	for _, e := range entries {
		if name := e.Name(); name == badger.ManifestFilename || filepath.Ext(name) == ".mem" {
			err = errors.Join(err, d.CheckNames(name))
		}
	}
	return err
}

// begin makes a new store, after one that was not finished if need be. Nothing
// has ever been stored in that one, since opening it did not return.
func (d *directory) begin() error {
	if err := checkOurs(d.Path, d.Name); err != nil {
		return err
	}
	if _, _, err := readFormat(d.File(creatingName)); errors.Is(err, ErrNewer) {
		return err
	}
	if !d.creating() && isManifest(d.Path) {
		return errNoFormat // it was removed since checkOurs looked
	}
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return fmt.Errorf("badgerkv: open the store: %w", err)
	}
	for _, e := range entries {
		if name := e.Name(); !sharekv.IsOwn(name) && name != creatingName {
			if err := os.RemoveAll(d.File(name)); err != nil {
				return fmt.Errorf("badgerkv: begin the store again: %w", err)
			}
		}
	}
	rand.Read(d.id[:]) // never fails
	if err := writeFile(d.File(creatingName), formatFile(kv.NewestFormat, d.id)); err != nil {
		return fmt.Errorf("badgerkv: make the store: %w", err)
	}
	return syncDir(d.Path)
}

// identify reads the format and the ID of the store that was prepared.
func (d *directory) identify() (err error) {
	var format kv.Format
	if format, d.id, err = readFormat(d.File(formatName)); errors.Is(err, fs.ErrNotExist) {
		format, d.id, err = readFormat(d.File(creatingName))
	}
	d.format.Store(int64(format))
	return err
}

// raise makes the format the newest.
func (d *directory) raise() error {
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.write(kv.NewestFormat); err != nil {
		return fmt.Errorf("badgerkv: raise the store: %w", err)
	}
	d.format.Store(int64(kv.NewestFormat))
	return nil
}

// write writes the format file.
func (d *directory) write(format kv.Format) error {
	err := writeFile(d.File(raisingName), formatFile(format, d.id))
	if err == nil {
		err = os.Rename(d.File(raisingName), d.File(formatName))
	}
	if err == nil {
		err = syncDir(d.Path)
	}
	return err
}

// creating reports whether the store was not finished yet.
func (d *directory) creating() bool {
	_, err := os.Lstat(d.File(creatingName))
	return err == nil
}

// finish makes a new store a store.
func (d *directory) finish() error {
	if !d.creating() {
		return nil
	}
	if err := os.Rename(d.File(creatingName), d.File(formatName)); err != nil {
		return fmt.Errorf("badgerkv: make the store: %w", err)
	}
	return syncDir(d.Path)
}

func writeFile(path, text string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}
