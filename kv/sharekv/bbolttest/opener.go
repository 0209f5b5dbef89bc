package bbolttest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

// Opener opens stores of this engine.
type Opener struct {
	sharetest.Options
	CommitIDs int // 0 is kv's for engines of this kind
}

var _ sharekv.Opener = Opener{}

// Files of the engine. bbolt locks its own, so that the store's ID has another.
const (
	dataName = "store.bbolt"
	idName   = "store.id" // written when all else is there
)

// Limits implements sharekv.Opener.
func (o Opener) Limits() kv.Limits {
	limits := kv.Embedded()
	if o.CommitIDs > 0 {
		limits.CommitIDs = o.CommitIDs
	}
	return limits
}

// Identify implements sharekv.Opener.
func (o Opener) Identify(dir string) (id sharekv.ID, err error) {
	file, err := os.Open(filepath.Join(dir, idName))
	if err != nil {
		return id, err
	}
	defer file.Close()
	_, err = io.ReadFull(file, id[:])
	return id, err
}

// Prepare implements sharekv.Opener. A store without an ID was not finished.
func (o Opener) Prepare(place *sharekv.Place) error {
	_, err := o.Identify(place.Path)
	switch {
	case err == nil:
		db, err := openBbolt(place)
		if err != nil {
			return err
		}
		return db.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.Remove(place.File(dataName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := openBbolt(place)
	if err != nil {
		return err
	}
	if err := errors.Join(db.Update(makeBuckets), db.Close()); err != nil {
		return err
	}
	return writeID(place)
}

func writeID(place *sharekv.Place) error {
	var id sharekv.ID
	rand.Read(id[:]) // never fails
	half := place.File(idName + ".new")
	return errors.Join(os.WriteFile(half, id[:], 0o600), os.Rename(half, place.File(idName)))
}

// Open implements sharekv.Opener.
func (o Opener) Open(place *sharekv.Place) (sharekv.LocalEngine, error) {
	sharetest.Call(o.Locked)
	id, err := o.Identify(place.Path)
	if err != nil {
		return nil, err
	}
	db, err := openBbolt(place)
	if err != nil {
		return nil, err
	}
	return &engine{Options: o.Options, place: place, id: id, db: db, keep: o.Limits().CommitIDs, open: make(map[*snapshot]struct{})}, nil
}

// mapSize is more than the store of any test takes. bbolt maps it at once: to
// map more later it would wait for the end of all snapshots.
const mapSize = 1 << 30

func openBbolt(place *sharekv.Place) (*bbolt.DB, error) {
	db, err := bbolt.Open(place.File(dataName), 0o600, &bbolt.Options{
		Timeout:         time.Nanosecond, // do not wait for bbolt's own lock
		InitialMmapSize: mapSize,
		FreelistType:    bbolt.FreelistMapType,
	})
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return nil, sharekv.ErrHeld
	case err != nil:
		return nil, fmt.Errorf("bbolttest: open %s: %w", place.Name, err)
	}
	return db, nil
}
