package badgerkv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
// key registry that was not written to its end; logs of no length, which a
// crash leaves between making or truncating and removing them; a format file
// that was not put in its place.
func (d *directory) tidy() error {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return fmt.Errorf("badgerkv: open the store: %w", err)
	}
	for _, e := range entries {
		if !d.useless(e) {
			continue
		}
		if err := os.Remove(d.File(e.Name())); err != nil {
			return fmt.Errorf("badgerkv: tidy the store: %w", err)
		}
	}
	_, err = d.makePrivate()
	return err
}

func (d *directory) useless(e os.DirEntry) bool {
	switch name := e.Name(); {
	case name == "DISCARD", filepath.Ext(name) == ".vlog", name == raisingName:
		return true
	case filepath.Ext(name) == ".mem":
		info, err := e.Info()
		return err == nil && info.Size() == 0
	case name == keyRegistry:
		data, err := os.ReadFile(d.File(name))
		return err == nil && (len(data) != keyRegistryNonce+len(keyRegistrySanity) || !strings.HasSuffix(string(data), keyRegistrySanity))
	}
	return false
}

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
		if err == nil && info.Mode().IsRegular() && info.Mode().Perm() != fileMode {
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
// once after the last time.
type keeper struct {
	bell chan struct{} // has room for one ring
	stop chan struct{}
	done chan error
}

func newKeeper(job func() error) *keeper {
	k := &keeper{bell: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan error, 1)}
	go func() { k.done <- k.run(job) }()
	return k
}

// run returns the first error, and does nothing more then.
func (k *keeper) run(job func() error) error {
	for {
		select {
		case <-k.bell:
			if err := job(); err != nil {
				return err
			}
		case <-k.stop:
			return nil
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
