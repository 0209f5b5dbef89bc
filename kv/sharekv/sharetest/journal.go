package sharetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sharekv"
)

// Journal opens stores of an engine for tests: a memkv.Store, and a file of the
// batches that it was given. A batch is written to the file before it is applied
// in memory, and opening applies all of them again, so that what a process that
// was killed has acknowledged is there. Of power loss it knows nothing.
type Journal struct {
	Options
	CommitIDs int // 0 is memkv's
}

var _ sharekv.Opener = Journal{}

// journalName is the file: the ID of the store, then batches, each with its
// length before it.
const journalName = "journal"

// Limits implements sharekv.Opener.
func (j Journal) Limits() kv.Limits {
	limits := kv.Embedded()
	if j.CommitIDs > 0 {
		limits.CommitIDs = j.CommitIDs
	}
	return limits
}

// Identify implements sharekv.Opener.
func (j Journal) Identify(dir string) (id sharekv.ID, err error) {
	file, err := os.Open(filepath.Join(dir, journalName))
	if err != nil {
		return id, err
	}
	defer file.Close()
	_, err = io.ReadFull(file, id[:])
	return id, err
}

// Prepare implements sharekv.Opener.
func (j Journal) Prepare(place *sharekv.Place) error {
	lock, err := lockJournal(place)
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := os.Stat(place.File(journalName)); err == nil {
		return nil
	}
	var id sharekv.ID
	rand.Read(id[:]) // never fails
	half := place.File(journalName + ".new")
	return errors.Join(os.WriteFile(half, id[:], 0o600), os.Rename(half, place.File(journalName)))
}

// lockJournal is the engine's own lock, which holds when that of sharekv was
// removed.
func lockJournal(place *sharekv.Place) (*flock.Flock, error) {
	lock := flock.New(place.File(journalName + ".lock"))
	if locked, err := lock.TryLock(); err != nil || !locked {
		return nil, errors.Join(err, sharekv.ErrHeld, lock.Close())
	}
	return lock, nil
}

// Open implements sharekv.Opener.
func (j Journal) Open(place *sharekv.Place) (sharekv.LocalEngine, error) {
	Call(j.Locked)
	id, err := j.Identify(place.Path)
	if err != nil {
		return nil, err
	}
	lock, err := lockJournal(place)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(place.File(journalName), os.O_RDWR, 0o600)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	e := &journal{
		Options: j.Options, place: place, id: id, lock: lock, file: file,
		memory: memkv.New(memkv.WithCommitIDs(j.Limits().CommitIDs)),
	}
	if err := e.replay(); err != nil {
		return nil, errors.Join(fmt.Errorf("sharetest: read the journal: %w", err), file.Close(), lock.Close())
	}
	return e, nil
}

// journal is a store of Journal's.
type journal struct {
	Options
	place  *sharekv.Place
	id     sharekv.ID
	lock   *flock.Flock
	memory *memkv.Store

	mu      sync.Mutex // of writers
	file    *os.File
	head    kv.Version
	stopped bool
}

// replay applies what is in the file, and cuts off what was not written to its
// end.
func (e *journal) replay() error {
	end, err := e.file.Seek(int64(len(e.id)), io.SeekStart)
	for err == nil {
		var b kv.Batch
		var n int64
		if n, err = readBatch(e.file, &b); err == nil {
			end += n
			err = e.apply(&b)
		}
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	e.head = e.newest()
	if err := e.file.Truncate(end); err != nil {
		return err
	}
	_, err = e.file.Seek(end, io.SeekStart)
	return err
}

// apply does again what was done before. What was refused is refused again.
func (e *journal) apply(b *kv.Batch) error {
	_, err := e.memory.Commit(context.Background(), b)
	if kv.OutcomeOf(err) == kv.Conflict || kv.OutcomeOf(err) == kv.Expired {
		return nil
	}
	return err
}

func readBatch(from io.Reader, b *kv.Batch) (int64, error) {
	var header [4]byte
	if _, err := io.ReadFull(from, header[:]); err != nil {
		return 0, err
	}
	data := make([]byte, binary.BigEndian.Uint32(header[:]))
	if _, err := io.ReadFull(from, data); err != nil {
		return 0, err
	}
	return int64(len(header) + len(data)), gob.NewDecoder(bytes.NewReader(data)).Decode(b)
}

func (e *journal) write(b *kv.Batch) error {
	var data bytes.Buffer
	data.Write(make([]byte, 4))
	if err := gob.NewEncoder(&data).Encode(b); err != nil {
		return err
	}
	binary.BigEndian.PutUint32(data.Bytes(), uint32(data.Len()-4))
	_, err := e.file.Write(data.Bytes())
	return err
}

// ID implements sharekv.LocalEngine.
func (e *journal) ID() sharekv.ID { return e.id }

// Snapshot implements sharekv.LocalEngine.
func (e *journal) Snapshot() kv.Snapshot { return e.memory.Snapshot() }

// Commit implements sharekv.LocalEngine.
func (e *journal) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if len(b.Writes) == 0 {
		return e.memory.Commit(ctx, b)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped || !e.place.Held() {
		return 0, kv.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	Call(e.Committing)
	if err := e.write(b); err != nil {
		return 0, err
	}
	var version kv.Version
	var err error
	e.place.Show(func() (kv.Version, [][]kv.Write) {
		version, err = e.memory.Commit(context.Background(), b)
		Call(e.Committed)
		return e.shown(b, err)
	})
	return version, err
}

// shown returns the version that is new, if there is one: of a commit, or of a
// refusal, at which nothing changed.
func (e *journal) shown(b *kv.Batch, err error) (kv.Version, [][]kv.Write) {
	head := e.newest()
	if head == e.head {
		return 0, nil
	}
	e.head = head
	if err != nil {
		return head, nil
	}
	return head, [][]kv.Write{b.Writes}
}

func (e *journal) newest() kv.Version {
	snapshot := e.memory.Snapshot()
	defer snapshot.Close()
	head, _ := snapshot.Version(context.Background()) // fails only when closed
	return head
}

// Flatten implements sharekv.LocalEngine: nothing is left in memory, and the
// file keeps all.
func (e *journal) Flatten(ctx context.Context) error { return ctx.Err() }

// Stop implements sharekv.LocalEngine.
func (e *journal) Stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
}

// Close implements sharekv.LocalEngine.
func (e *journal) Close() error {
	e.Stop()
	return errors.Join(e.memory.Close(), e.file.Close(), e.lock.Close())
}
