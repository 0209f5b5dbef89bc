package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/witness"
)

// Store is a kv.Store in a directory, which any number of processes may have
// open; see [sharekv.Store] for its methods, and for Yield, with which a process
// that is about to be suspended lets go of it. Its methods may be called from
// any number of goroutines.
//
// Of a batch whose sync failed the outcome is kv.ErrUnknown, and the store takes
// no more commits until its owner has opened it again. Close writes what is in
// memory to the tables, which takes up to a second.
//
// Flatten erases what was deleted or overwritten from the store's files: Badger
// keeps it until it happens to merge them. It rewrites much of the store, and
// reads and commits wait meanwhile. What open snapshots still see is not
// erased.
type Store struct {
	*sharekv.Store
	syncs   *syncs
	witness *witness.File
}

var (
	_ kv.Store       = (*Store)(nil)
	_ kv.Formatted   = (*Store)(nil)
	_ witness.Keeper = (*Store)(nil)
)

// Status says who owns the store.
type Status = sharekv.Status

// Open opens the store in a directory, which it makes if it does not exist or
// is empty; the directory's parent must exist. If no process has it open, this
// one reads all of it and checks it; otherwise it connects to the one that
// owns it. Errors: kv.ErrCorrupt, kv.ErrUnavailable (the owner does not
// answer), kv.ErrInUse (another process has it open, and this system cannot
// share), kv.ErrDiskFull, kv.ErrUnusable (rights are missing, the disk is
// read-only), ErrForeign, ErrNewer, ErrUnproven and Err32Bit.
func Open(dir string, options ...Option) (*Store, error) {
	set := defaults()
	for _, option := range options {
		option(&set)
	}
	if err := checkProgram(&set); err != nil {
		return nil, err
	}
	set.name = dir
	shared, err := sharekv.Open(dir, (*opener)(&set), set.sharing...)
	if err != nil {
		return nil, err
	}
	return &Store{shared, set.syncs, witness.NewFile(filepath.Join(shared.Path(), witnessName))}, nil
}

// ErrAtRest: no process has the store open that would share it.
var ErrAtRest = sharekv.ErrAtRest

// Join is Open for a process that never opens Badger itself: it fails with
// ErrAtRest if no other process has the store open, and touches nothing.
func Join(dir string, options ...Option) (*Store, error) {
	return Open(dir, append(slices.Clone(options), sharing(sharekv.AsGuest()))...)
}

// Witness implements witness.Keeper: pawl.witness in the directory, in which
// nothing is written before a mark is saved.
func (s *Store) Witness() witness.Witness { return s.witness }

// Format implements kv.Formatted: what the format file says, whoever owns the store.
func (s *Store) Format(ctx context.Context) (kv.Format, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	format, _, err := readFormat(filepath.Join(s.Path(), formatName))
	if err != nil {
		return 0, fmt.Errorf("badgerkv: read the format of the store: %w", err)
	}
	return format, nil
}

// Close implements kv.Store; see [sharekv.Store.Close].
func (s *Store) Close() error {
	err := s.Store.Close()
	if isStore(s.Path()) {
		err = errors.Join(err, s.witness.Keep())
	}
	return errors.Join(err, s.witness.Close())
}

// isStore reports whether there is a store in a directory.
func isStore(dir string) bool {
	_, _, err := readFormat(filepath.Join(dir, formatName))
	return err == nil && isManifest(dir)
}

// Stats is what a Store did as the owner; while another process owns Badger,
// that one does it.
type Stats struct {
	// Syncs of the log that commits waited for, and the time they took. Not
	// counted are those of Badger itself, some for each table of 16 MiB that it
	// writes.
	Syncs   int
	Syncing time.Duration
}

// Stats returns what this Store did since it was opened.
func (s *Store) Stats() Stats {
	return Stats{Syncs: int(s.syncs.calls.Load()), Syncing: time.Duration(s.syncs.nanos.Load())}
}
