package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/internal/files/private"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/witness"
)

// look opens a store so that nothing is written in it or beside it: through the
// process that has it open, or else a private copy of its files. What is written
// to the result stays in memory.
func (p place) look(ctx context.Context) (kv.Store, error) {
	if p.server != nil {
		return p.server.look(ctx)
	}
	private.RemoveDead(lookCopies)
	for began := time.Now(); ; {
		store, err := p.lookRunning(ctx)
		passing := errors.Is(err, kv.ErrUnavailable)
		if store == nil && err == nil {
			store, err = p.lookAtRest(ctx)
			passing = errors.Is(err, errOpening)
		}
		switch {
		case err == nil:
			load := func(context.Context) (witness.Mark, error) { return witness.ReadFile(p.witnessFile()) }
			return newLooked(store, load), nil
		case !passing || time.Since(began) > lookPatience:
			return nil, err
		}
		select {
		case <-time.After(lookPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// A process that opens or closes the store has it and does not answer for a while,
// and one that finds its lock removed gives it up. One that is stopped was waited
// for by then.
const (
	lookPatience = 5 * time.Second
	lookPause    = 20 * time.Millisecond
)

// errOpening: a process has the store and nobody answers.
var errOpening = fmt.Errorf("%w: a process has it open and does not answer: is it stopped?", kv.ErrUnavailable)

// lookRunning returns nothing if no process has the store open.
func (p place) lookRunning(ctx context.Context) (kv.Store, error) {
	if p.sqlite {
		if !isMapped(p.real() + "-shm") {
			return nil, nil
		}
		return p.openOlder(ctx)
	}
	store, err := badgerkv.Join(p.path, badgerkv.WithLogger(cli.Logger(ctx)))
	if errors.Is(err, badgerkv.ErrAtRest) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return store, nil
}

// copied is the store in a private copy of the files, which goes when it is closed.
type copied struct {
	kv.Store
	remove func() error
}

// Unwrap implements kv.Wrapper.
func (c copied) Unwrap() kv.Store { return c.Store }

// Close implements kv.Store.
func (c copied) Close() error { return errors.Join(c.Store.Close(), c.remove()) }

// lookAtRest opens a copy of the files: opening brings logs to their end, which
// writes.
func (p place) lookAtRest(ctx context.Context) (kv.Store, error) {
	to, remove, err := p.copyAside()
	if err != nil {
		return nil, err
	}
	engine, err := to.openOlder(ctx)
	if err != nil {
		return nil, errors.Join(&elsewhere{err, to.path, p.path}, remove())
	}
	return copied{engine, remove}, nil
}

// lookCopies begins the names of the private directories with copies of stores.
const lookCopies = "pawl-look-"

// copyAside copies the engine's files to a private directory, until remove. If the
// process is killed before that, a later look removes it.
func (p place) copyAside() (to place, remove func() error, err error) {
	dir, err := private.New(lookCopies)
	if err != nil {
		return place{}, nil, fmt.Errorf("a private copy is needed to look at %s: %w", p, kv.OfSystem(err))
	}
	remove = dir.Remove
	to = place{sqlite: p.sqlite, path: filepath.Join(dir.Path(), filepath.Base(p.real()))}
	if err := p.copyFiles(to); err != nil {
		return place{}, nil, errors.Join(err, remove())
	}
	return to, remove, nil
}

// elsewhere is an error of the copy, which it names by the store.
type elsewhere struct {
	error
	copy, store string
}

// Error implements error.
func (e *elsewhere) Error() string { return strings.ReplaceAll(e.error.Error(), e.copy, e.store) }

// Unwrap returns the error of the copy.
func (e *elsewhere) Unwrap() error { return e.error }

// copies bounds how often a store is copied that changes meanwhile.
const copies = 5

// copyFiles copies the engine's files as they were at one moment.
func (p place) copyFiles(to place) error {
	for range copies {
		still, err := p.copyOnce(to)
		if err != nil {
			return fmt.Errorf("copy %s to look at it: %w", p, kv.OfSystem(err))
		}
		if still {
			return nil
		}
	}
	return fmt.Errorf("%w: %s changes while it is looked at", kv.ErrUnavailable, p)
}

// copyOnce reports whether nobody has changed the files meanwhile. Whoever commits
// waits for the lock.
func (p place) copyOnce(to place) (still bool, err error) {
	lock := flock.New(p.engineLock(), flock.SetFlag(os.O_RDONLY|files.NonBlock))
	defer lock.Close()
	if locked, err := lock.TryRLock(); err == nil && !locked && !p.sqlite {
		return false, errOpening
	}
	if !p.sqlite {
		lock.Close() // who opens the store now changes its files
	}
	before, err := p.engineFiles()
	if err != nil {
		return false, err
	}
	if p.sqlite && len(before) > 0 { // else what is committed may be in a log beside another name
		if err := files.OnlyName(p.real(), before[0]); err != nil {
			return false, err
		}
	}
	for _, file := range before {
		err := copyFile(p.fileOf(file.Name()), to.fileOf(p.renamed(file.Name(), to)))
		if _, gone := os.Stat(p.fileOf(file.Name())); err != nil && errors.Is(gone, fs.ErrNotExist) {
			return false, nil // by somebody who opens or closes the store
		}
		if err != nil {
			return false, err
		}
	}
	after, err := p.engineFiles()
	return err == nil && slices.EqualFunc(before, after, func(a, b fs.FileInfo) bool {
		return a.Name() == b.Name() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
	}), err
}

func (p place) engineLock() string {
	if p.sqlite {
		return p.real() + "-gate"
	}
	return filepath.Join(p.real(), "pawl.lock")
}

// home is the directory of the engine's files.
func (p place) home() string {
	if p.sqlite {
		return filepath.Dir(p.real())
	}
	return p.real()
}

func (p place) fileOf(name string) string { return filepath.Join(p.home(), name) }

// renamed is the name that a file of this place has in another.
func (p place) renamed(name string, to place) string {
	if !p.sqlite {
		return name
	}
	return filepath.Base(to.path) + strings.TrimPrefix(name, filepath.Base(p.real()))
}

// engineFiles returns what an engine's store consists of: not what the command
// keeps beside it, nor what processes share while it is open.
func (p place) engineFiles() (found []fs.FileInfo, err error) {
	names := []string{"", "-wal", "-gate"}
	for i := range names {
		names[i] = filepath.Base(p.real()) + names[i]
	}
	if !p.sqlite {
		if names, err = p.badgerFiles(); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		info, err := os.Stat(p.fileOf(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, "-gate") && !info.Mode().IsRegular() {
			continue // whoever opens the store makes another
		}
		found = append(found, info)
	}
	return found, nil
}

func (p place) badgerFiles() (names []string, err error) {
	entries, err := os.ReadDir(p.real())
	for _, e := range entries {
		name := e.Name()
		if e.Type().IsRegular() && (!strings.HasPrefix(name, "pawl.") || name == "pawl.format" || name == "pawl.creating") {
			names = append(names, name)
		}
	}
	return names, err
}

func copyFile(from, to string) error {
	in, err := files.OpenRegular(from, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
