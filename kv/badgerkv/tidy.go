package badgerkv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pawlkv/pawl/internal/files"
)

// keyRegistry is Badger's file of encryption keys. We use none, so it has a
// nonce and this text.
const (
	keyRegistry       = "KEYREGISTRY"
	keyRegistryNonce  = 16
	keyRegistrySanity = "Hello Badger"
)

// tidy removes files that hold nothing of ours and that Badger makes again, or
// would stumble over: the value logs and their statistics, which stay empty; a
// key registry that was not written to its end; the file with the number of the
// process that had it open; logs of no length, which a crash leaves between making
// or truncating and removing them; a format file that was not put in its place.
func (d *directory) tidy() error {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return fmt.Errorf("badgerkv: open the store: %w", err)
	}
	for _, e := range entries {
		if !d.useless(e) {
			continue
		}
		if err := files.Clear(d.File(e.Name())); err != nil {
			return fmt.Errorf("badgerkv: tidy the store: %w", err)
		}
	}
	_, err = d.makePrivate()
	return err
}

func (d *directory) useless(e os.DirEntry) bool {
	switch name := e.Name(); {
	case name == "DISCARD", name == "LOCK", filepath.Ext(name) == ".vlog", name == raisingName:
		return true
	case filepath.Ext(name) == ".mem":
		info, err := e.Info()
		return err == nil && info.Mode().IsRegular() && info.Size() == 0
	case name == keyRegistry:
		data, err := files.ReadRegular(d.File(name))
		return errors.Is(err, files.ErrIrregular) || errors.Is(err, fs.ErrNotExist) || err == nil && (len(data) != keyRegistryNonce+len(keyRegistrySanity) || !strings.HasSuffix(string(data), keyRegistrySanity))
	}
	return false
}

// isOfKey reports whether a file is one of package keyfile's. That refuses a key
// that others may read, and tells so; it would not hear of one that was made private.
func isOfKey(name string) bool { return strings.HasPrefix(name, "pawl.key") }

// makePrivate takes all rights to the files from others, and returns how many
// bytes are in tables. Badger gives such rights; the directory's mode keeps
// others out meanwhile.
func (d *directory) makePrivate() (tables uint64, err error) {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return 0, fmt.Errorf("badgerkv: make the store private: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && filepath.Ext(e.Name()) == ".sst" {
			tables += uint64(info.Size())
		}
		if err == nil && info.Mode().IsRegular() && info.Mode().Perm() != fileMode && !isOfKey(e.Name()) {
			err = os.Chmod(d.File(e.Name()), fileMode)
		}
		// Badger may have removed the file meanwhile.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("badgerkv: make the store private: %w", err)
		}
	}
	return tables, nil
}

// keeper does a job in a goroutine of its own each time it is woken, at least
// once after the last time, and looks after something else now and then.
type keeper struct {
	bell chan struct{} // has room for one ring
	stop chan struct{}
	done chan error
}

// keeperLook is how often the keeper looks.
const keeperLook = 500 * time.Millisecond

func newKeeper(job func() error, look func()) *keeper {
	k := &keeper{bell: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan error, 1)}
	go func() { k.done <- k.run(job, look) }()
	return k
}

// run returns the first error of the job, which is not done again then.
func (k *keeper) run(job func() error, look func()) (failure error) {
	now := time.NewTicker(keeperLook)
	defer now.Stop()
	for {
		select {
		case <-k.bell:
			if failure == nil {
				failure = job()
			}
		case <-now.C:
			look()
		case <-k.stop:
			return failure
		}
	}
}

func (k *keeper) wake() {
	select {
	case k.bell <- struct{}{}:
	default:
	}
}

func (k *keeper) close() error {
	close(k.stop)
	return <-k.done
}
