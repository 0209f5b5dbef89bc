package pgkv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

// lineage is which server a store was opened on: the cluster and its timeline, which
// another has after a standby was promoted or a backup restored. It is the store's
// witness too: what that knows is in the row of the space, for all who open it
// anywhere, but for the head, which each machine and each process remembers by itself.
type lineage struct {
	store *Store

	learning sync.Mutex
	file     *witness.File // nil before it is needed, and where there is none

	mu       sync.Mutex
	now      string // "" before it is known
	accepted bool   // whoever opened the store was told that the space was elsewhere
	saved    witness.Mark
}

var (
	_ witness.Keeper  = (*Store)(nil)
	_ witness.Witness = (*lineage)(nil)
)

func newLineage(s *Store) *lineage { return &lineage{store: s} }

// Witness implements witness.Keeper. It shows a space whose server lost acknowledged
// commits.
func (s *Store) Witness() witness.Witness { return s.lineage }

func (l *lineage) known() (now string, accepted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now, l.accepted
}

// learn asks which server this is, the first time. From then on the store is of that
// one.
func (l *lineage) learn(ctx context.Context) error {
	if now, _ := l.known(); now != "" {
		return nil
	}
	l.learning.Lock()
	defer l.learning.Unlock()
	if now, _ := l.known(); now != "" {
		return nil
	}
	_, err := l.look(ctx)
	return err
}

// looked is what the server says of a space.
type looked struct {
	now, was string // lineages; was is "" where there is no such space
	mode     Mode
	mark     witness.Mark
	marked   bool
}

// look asks the server, and notes its lineage if none is known.
func (l *lineage) look(ctx context.Context) (found looked, err error) {
	rows, err := l.store.db.read(ctx, newCall("look", l.store.space))
	if err != nil {
		return found, err
	}
	if len(rows) != 1 || len(rows[0]) != 5 {
		return found, fmt.Errorf("%w: the function look of the schema answers in another form", kv.ErrNewer)
	}
	r := rows[0]
	found = looked{now: string(r[0]), was: string(r[2]), mode: Mode(r.binary(1)), marked: len(r[3]) == len(found.mark.Store)}
	copy(found.mark.Store[:], r[3])
	found.mark.Generation = uint64(r.binary(4))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == "" {
		l.now = found.now
	}
	return found, nil
}

// Load implements witness.Witness: the mark in the space, with the newest head that
// anybody here has seen. It is one that was copied where the server is not the one that
// the space was last seen well on.
func (l *lineage) Load(ctx context.Context) (witness.Mark, error) {
	l.learning.Lock()
	defer l.learning.Unlock()
	found, err := l.look(ctx)
	if err != nil {
		return witness.Mark{}, err
	}
	if !found.marked {
		l.accept() // whether it is well is told by who has a witness; nobody has yet
		return witness.Mark{}, witness.ErrNone
	}
	if found.was == found.now { // and to save it again would change nothing
		l.mu.Lock()
		l.saved = found.mark
		l.mu.Unlock()
	}
	for _, seen := range []witness.Mark{l.ofFile(ctx), l.ofProcess()} {
		if seen.Store == found.mark.Store && seen.Generation == found.mark.Generation {
			found.mark.Head = max(found.mark.Head, seen.Head)
		}
	}
	if found.mode == Asynchronous && found.was != found.now {
		l.accept()
		return found.mark, fmt.Errorf("%w: the server is %s, and the space was on %s", witness.ErrCopied, found.now, found.was)
	}
	return found.mark, nil
}

// accept lets commits of this store go on where the space is now: its accounts were
// marked by whoever asked.
func (l *lineage) accept() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted = true
}

// Save implements witness.Witness. Only another store or generation than the space has, or
// another server, makes a round trip.
func (l *lineage) Save(ctx context.Context, m witness.Mark) error {
	l.mu.Lock()
	now, saved := l.now, l.saved
	l.mu.Unlock()
	if saved.Store != m.Store || saved.Generation != m.Generation {
		s := l.store
		statement := newCall("save_mark", s.space).number(int64(s.db.set.mode)).text(now).bytes(string(m.Store[:])).number(int64(m.Generation))
		if _, err := s.db.exec(ctx, statement); err != nil {
			return ofCommit(ctx, err)
		}
		l.mu.Lock()
		l.saved = m
		l.mu.Unlock()
	}
	l.remember(m)
	if file := l.openFile(); file != nil {
		return file.Save(ctx, m)
	}
	return nil
}

// remember notes a mark in the process's own memory.
func (l *lineage) remember(m witness.Mark) {
	d := l.store.db
	d.mu.Lock()
	defer d.mu.Unlock()
	if m.Supersedes(d.marks[l.store.space]) {
		d.marks[l.store.space] = m
	}
}

func (l *lineage) ofProcess() witness.Mark {
	d := l.store.db
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.marks[l.store.space]
}

// ofFile is what this machine has seen, nothing if it has no file. Where the file
// came from does not matter: what it says was so.
func (l *lineage) ofFile(ctx context.Context) witness.Mark {
	file := l.openFile()
	if file == nil {
		return witness.Mark{}
	}
	m, err := file.Load(ctx)
	if err != nil && !errors.Is(err, witness.ErrCopied) && !errors.Is(err, witness.ErrNone) {
		l.store.db.set.logger.Warn("what this machine has seen of the space cannot be read", slog.Any("error", err))
		return witness.Mark{}
	}
	return m
}

// openFile returns the file of this machine for the space, nil if there is none.
func (l *lineage) openFile() *witness.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	dir := l.store.db.set.witnesses
	if l.file != nil || dir == "" {
		return l.file
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		l.store.db.set.logger.Warn("this machine does not remember how far spaces had come", slog.Any("error", err))
		return nil
	}
	config := l.store.db.pool.Config().ConnConfig
	of := sha256.Sum256(fmt.Appendf(nil, "%q %d %q %s %q", config.Host, config.Port, config.Database, l.store.db.schema, l.store.space))
	l.file = witness.NewHostFile(filepath.Join(dir, hex.EncodeToString(of[:12])+".witness"))
	return l.file
}

func (l *lineage) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close()
	}
}

// SetMode gives a space another mode. The server must wait for standbys
// (kv.ErrUnusable): in an asynchronous mode before it was not known what they have.
func (s *Store) SetMode(ctx context.Context, mode Mode) error {
	if err := s.learn(ctx); err != nil {
		return err
	}
	now, _ := s.lineage.known()
	_, err := s.db.exec(ctx, newCall("set_mode", s.space).number(int64(mode)).text(now))
	return ofCommit(ctx, err)
}
