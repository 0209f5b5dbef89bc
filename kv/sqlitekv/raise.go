package sqlitekv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
)

var (
	_ kv.Raiser    = (*Store)(nil)
	_ kv.Formatted = (*Store)(nil)
)

// Raise implements kv.Raiser. A process that has the store open, of whatever
// program, has a connection, and so SQLite's shared lock of the file. Who gets
// that lock alone knows that there is no other: the store is raised by a process
// that is alone with it, and as long as there are several it stays as it is.
// Nobody knows of a process that has yielded; its next call fails.
//
// Commits wait meanwhile, and open views of this process end.
func (s *Store) Raise(ctx context.Context) (kv.Format, error) {
	format, err := s.Format(ctx)
	if err != nil || format == kv.NewestFormat {
		return format, err
	}
	// A gate of its own, as in Flatten.
	path := s.committer.path
	g := newGate(path)
	defer g.close()
	if err := enter(g, &s.set); err != nil {
		return 0, err
	}
	defer g.release()
	// Let go of the file here: a connection of this process is in the way too.
	if err := s.Yield(ctx); err != nil {
		return 0, err
	}
	err = raise(path, &s.set)
	switch {
	case errors.Is(err, errNotAlone):
		return format, nil
	case err != nil:
		return 0, fmt.Errorf("sqlitekv: raise the store: %w", err)
	}
	s.set.logger.Info("the store has a new format: older programs do not open it any more", slog.Int("format", int(kv.NewestFormat)))
	return kv.NewestFormat, nil
}

// Format implements kv.Formatted.
func (s *Store) Format(ctx context.Context) (format kv.Format, err error) {
	if s.pool.isClosed() {
		return 0, kv.ErrClosed
	}
	view := &snapshot{pool: s.pool}
	defer view.Close()
	err = view.with(ctx, func(c *conn) error {
		format, err = c.format()
		return err
	})
	return format, err
}

// format returns the format of a database, or an error if it is none that we
// read.
func (c *conn) format() (kv.Format, error) {
	text, err := c.pragma("user_version")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, 32)
	switch {
	case err != nil, n == 0, n >= damagedVersion:
		return 0, fmt.Errorf("%w: the header of the file says format %q", kv.ErrCorrupt, text)
	case n > uint64(kv.NewestFormat):
		return 0, fmt.Errorf("%w: it has format %d, this one reads up to %d", ErrNewer, n, kv.NewestFormat)
	}
	return kv.Format(n), nil
}

var errNotAlone = errors.New("sqlitekv: others have the store open")

// raise makes the database one of the newest format, if nobody else has it open.
// The gate is ours.
func raise(path string, set *settings) (err error) {
	defer guard(&err)
	db, err := sqlite3.OpenFlags(uri(path, set.vfs), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return translate(err)
	}
	c := &conn{db: db}
	defer func() { err = errors.Join(err, c.close()) }()
	// Before the first access: then SQLite takes the whole file for itself, with
	// all that was ever written to the log.
	switch err := db.Exec(fullSyncs + `PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA user_version`); {
	case errors.Is(err, sqlite3.BUSY), errors.Is(err, sqlite3.LOCKED):
		return errNotAlone
	case err != nil:
		return translate(err)
	}
	if err := c.verify(); err != nil {
		return err
	}
	if err := c.exec(fmt.Sprintf(`BEGIN IMMEDIATE; PRAGMA user_version = %d; COMMIT`, kv.NewestFormat)); err != nil {
		return err
	}
	// Programs look at the header of the file before they open it.
	if err := c.trust(); err != nil {
		return err
	}
	_, _, err = db.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE)
	return translate(err)
}
