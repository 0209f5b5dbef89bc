package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl/internal/secret"
)

// A store without a passphrase is sealed under a key beside it, so that it can
// be given a passphrase later without sealing everything again. The key file
// has one line, keyFilePrefix and 32 bytes in unpadded base64.
const (
	keyFileNew    = ".new-"    // and a random number, while it is written
	keyFileUnused = ".unused-" // and a random number: it opened nothing
	keyFilePrefix = "pawl-key-1 "
	keyFileMode   = 0o600
	keyFileSize   = len(keyFilePrefix) + 43 + 1
)

// keyFile is what the key file of a store holds, if there is one.
type keyFile struct {
	found bool
	key   secret.Key
}

// readKeyFile reads the key file of a store. It refuses one that others may
// read, and one that is not as it was written.
func readKeyFile(path string) (keyFile, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return keyFile{}, nil
	}
	if err != nil {
		return keyFile{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return keyFile{}, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return keyFile{}, fmt.Errorf("%s is open to other users (mode %#o): run 'chmod 600 %s' and think about who may have read it", path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(file, int64(keyFileSize)+1))
	if err != nil {
		return keyFile{}, err
	}
	return parseKeyFile(path, string(text))
}

func parseKeyFile(path, text string) (keyFile, error) {
	encoded, ok := strings.CutPrefix(text, keyFilePrefix)
	encoded, ended := strings.CutSuffix(encoded, "\n")
	key, err := base64.RawStdEncoding.Strict().DecodeString(encoded)
	if !ok || !ended || err != nil || len(key) != 32 || len(text) != keyFileSize {
		return keyFile{}, fmt.Errorf("%s is damaged: put back the file as it was; without it the store does not open", path)
	}
	return keyFile{true, secret.Hide([32]byte(key))}, nil
}

// createKeyFile writes a new key file, which is on the disk as a whole when it
// returns. It fails with fs.ErrExist, and changes nothing, if there is one.
// Callers hold the lock of the key.
func createKeyFile(path string) (keyFile, error) {
	var key [32]byte
	rand.Read(key[:]) // never fails
	made := keyFile{true, secret.Hide(key)}
	return made, made.write(path)
}

// write puts the key into a file that is not there yet.
func (k keyFile) write(path string) error {
	if err := removeHalfKeyFiles(path); err != nil {
		return err
	}
	key := k.key.Reveal()
	temporary := path + keyFileNew + randomName()
	text := keyFilePrefix + base64.RawStdEncoding.EncodeToString(key[:]) + "\n"
	err := writePrivate(temporary, text)
	if err == nil {
		err = moveToFree(temporary, path)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(temporary))
	}
	return syncDir(filepath.Dir(path))
}

// ensure is write where a run before may have written the key already.
func (k keyFile) ensure(path string) error {
	now, err := readKeyFile(path)
	switch {
	case err != nil:
		return err
	case !now.found:
		return k.write(path)
	case now.key.Reveal() != k.key.Reveal():
		return fmt.Errorf("%s has another key: put it elsewhere", path)
	}
	return nil
}

// removeHalfKeyFiles removes what commands that were ended left of writing key
// files: nothing was ever sealed under those, or they are the key file's other
// name.
func removeHalfKeyFiles(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(path)+keyFileNew) {
			if err := removeIfThere(filepath.Join(filepath.Dir(path), e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes the key file if it holds this key, and leaves any other.
func (k keyFile) remove(path string) error {
	now, err := readKeyFile(path)
	if err != nil || !now.found || now.key.Reveal() != k.key.Reveal() {
		return err
	}
	return errors.Join(removeIfThere(path), syncDir(filepath.Dir(path)))
}

// setAside renames a key file, if there is one, that does not open its store: it
// may be the key of another. Callers hold the lock of the key.
func setAside(path string) error {
	err := moveToFree(path, path+keyFileUnused+randomName())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(filepath.Dir(path)))
}

// writePrivate writes a new file that nobody else could ever read.
func writePrivate(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, keyFileMode)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}

const (
	// keyLockWait is for commands that derive a key or two. One that is stopped
	// must not hold up the others for good.
	keyLockWait = 30 * time.Second
	keyLockPoll = 10 * time.Millisecond
)

// lockKey makes the command the only one that decides what the store is sealed
// under: between looking at the key file or the passphrase, writing the key
// file and sealing under it, no other may do the same. Commands that only open
// the store need no lock. The engine must have made the store before, since it
// takes directories with other files for something else.
func (p place) lockKey(ctx context.Context) (*flock.Flock, error) {
	wait, cancel := context.WithTimeout(ctx, keyLockWait)
	defer cancel()
	lock := flock.New(p.keyLockFile(), flock.SetPermissions(keyFileMode))
	_, err := lock.TryLockContext(wait, keyLockPoll)
	switch {
	case err == nil:
		return lock, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case wait.Err() != nil:
		err = fmt.Errorf("another command has been deciding for %v under which key %s is sealed: is it stopped?", keyLockWait, p)
	}
	return nil, errors.Join(err, lock.Close())
}
