package keyfile

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/kv"
)

// A key file has one line: prefix and 32 bytes in unpadded base64.
const (
	newInfix    = ".new-"    // and a random number, while it is written
	unusedInfix = ".unused-" // and a random number: it opened nothing
	prefix      = "pawl-key-1 "
	mode        = 0o600
	size        = len(prefix) + 43 + 1
)

// Errors of reading a key file. Both are pawl.ErrNoKey.
var (
	// ErrDamaged: it is not as it was written. Without it the store does not open:
	// put it back.
	ErrDamaged error = unusable("keyfile: not as it was written")
	// ErrExposed: others may read it. Take the right from them, and think about
	// who may have read it.
	ErrExposed error = unusable("keyfile: not private")
)

// unusable is a pawl.ErrNoKey.
type unusable string

// Error implements error.
func (u unusable) Error() string { return string(u) }

// Is says to errors.Is what kind of error it is.
func (unusable) Is(target error) bool { return target == pawl.ErrNoKey }

// Key is what a key file holds, if there is one. It prints as redacted.
type Key struct {
	found bool
	key   secret.Key
}

// Found reports whether there was a file.
func (k Key) Found() bool { return k.found }

// Reveal returns the key, zeros if there was no file.
func (k Key) Reveal() [32]byte { return k.key.Reveal() }

// same compares two keys in constant time.
func (k Key) same(other Key) bool {
	a, b := k.Reveal(), other.Reveal()
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Read reads a key file. No file is no error; see [Key.Found]. It fails with
// ErrExposed and ErrDamaged, and with kinds of kv where the system does not let it
// be read.
func Read(path string) (Key, error) {
	key, err := read(path)
	return key, ofSystem(err)
}

// ofSystem makes errors of the system kinds of kv.
func ofSystem(err error) error {
	if errors.Is(err, pawl.ErrNoKey) {
		return err
	}
	return kv.OfSystem(err)
}

func read(path string) (Key, error) {
	file, err := files.OpenRegular(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return Key{}, nil
	}
	if errors.Is(err, files.ErrIrregular) {
		return Key{}, fmt.Errorf("%w: %w: put back the file as it was; without it the store does not open", ErrDamaged, err)
	}
	if err != nil {
		return Key{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Key{}, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return Key{}, fmt.Errorf("%w: %s is open to other users (mode %#o): run 'chmod 600 %s' and think about who may have read it", ErrExposed, path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(file, int64(size)+1))
	if err != nil {
		return Key{}, err
	}
	return parse(path, string(text))
}

func parse(path, text string) (Key, error) {
	encoded, ok := strings.CutPrefix(text, prefix)
	encoded, ended := strings.CutSuffix(encoded, "\n")
	key, err := base64.RawStdEncoding.Strict().DecodeString(encoded)
	if !ok || !ended || err != nil || len(key) != 32 || len(text) != size {
		return Key{}, fmt.Errorf("%w: %s is damaged: put back the file as it was; without it the store does not open", ErrDamaged, path)
	}
	return Key{true, secret.Hide([32]byte(key))}, nil
}

// Create writes a new key file, which is on the disk as a whole when it returns.
// It fails with fs.ErrExist, and changes nothing, if there is one. Callers hold
// the [Lock].
func Create(path string) (Key, error) {
	var key [32]byte
	rand.Read(key[:]) // never fails
	made := Key{true, secret.Hide(key)}
	return made, made.write(path)
}

// write puts the key into a file that is not there yet.
func (k Key) write(path string) error {
	if err := removeHalf(path); err != nil {
		return err
	}
	key := k.Reveal()
	temporary := path + newInfix + files.RandomName()
	text := prefix + base64.RawStdEncoding.EncodeToString(key[:]) + "\n"
	err := writePrivate(temporary, text)
	if err == nil {
		err = files.MoveToFree(temporary, path)
	}
	if err != nil {
		return errors.Join(err, files.RemoveIfThere(temporary))
	}
	return files.SyncDir(filepath.Dir(path))
}

// Ensure makes a file hold the key: it is written, or was by a run before this.
// It fails if the file has another key.
func (k Key) Ensure(path string) error {
	now, err := Read(path)
	switch {
	case err != nil:
		return err
	case !now.found:
		return k.write(path)
	case !now.same(k):
		return fmt.Errorf("%s has another key: put it elsewhere", path)
	}
	return nil
}

// Remove removes a key file if it holds this key, and leaves any other.
func (k Key) Remove(path string) error {
	now, err := Read(path)
	if err != nil || !now.found || !now.same(k) {
		return err
	}
	return errors.Join(files.RemoveIfThere(path), files.SyncDir(filepath.Dir(path)))
}

// SetAside renames a key file, if there is one, that does not open its store: it
// may be the key of another. Callers hold the [Lock].
func SetAside(path string) error {
	err := files.MoveToFree(path, path+unusedInfix+files.RandomName())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, files.SyncDir(filepath.Dir(path)))
}

// removeHalf removes what processes that were ended left of writing key files:
// nothing was ever sealed under those, or they are the key file's other name.
func removeHalf(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(path)+newInfix) {
			if err := files.RemoveIfThere(filepath.Join(filepath.Dir(path), e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// syncFile is replaced by tests that look when it is called.
var syncFile = (*os.File).Sync

// writePrivate writes a new file that nobody else could ever read.
func writePrivate(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, syncFile(file), file.Close())
}
