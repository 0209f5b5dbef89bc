package sqlitekv

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// board is the file in which processes note the turns they ask for. It is
// advice: nothing depends on what it says, who cannot read it goes on without,
// and what a process leaves behind in it expires.
type board struct {
	process uint64 // random
	lock    *flock.Flock
	file    *os.File
	closed  chan struct{}

	mu sync.Mutex // held while lock is
}

const (
	// waitLife is how long a note lasts whose process does not renew it while it
	// waits.
	waitLife = 100 * time.Millisecond
	// boardWait bounds the wait for the file, which is locked for microseconds.
	boardWait = 50 * time.Millisecond
	boardPoll = 200 * time.Microsecond
)

// note is a turn that was asked for.
type note struct {
	ticket  uint64 // in the order asked for
	process uint64
	until   int64 // milliseconds since 1970
	granted bool
	keys    []uint64 // hashed: two keys may meet, and then wait for each other. None: the whole store
}

func openBoard(path string) (*board, error) {
	file, err := files.OpenOwn(path+turnsSuffix, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, translate(err)
	}
	var id [8]byte
	rand.Read(id[:]) // never fails
	return &board{
		process: binary.BigEndian.Uint64(id[:]), file: file, closed: make(chan struct{}),
		lock: flock.New(path+turnsSuffix, flock.SetFlag(files.LockFlag), flock.SetPermissions(fileMode)),
	}, nil
}

// close takes back what this process has asked for, so that nobody waits for it.
func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return
	}
	close(b.closed)
	b.alter(func(s *boardState) {
		s.notes = slices.DeleteFunc(s.notes, func(n note) bool { return n.process == b.process })
	})
	b.file.Close()
}

func (b *board) isClosed() bool {
	select {
	case <-b.closed:
		return true
	default:
		return false
	}
}

// join asks for a turn and returns its ticket, 0 if that cannot be noted.
func (b *board) join(keys []string) (ticket uint64) {
	b.change(func(s *boardState) {
		s.last++
		ticket = s.last
		s.notes = append(s.notes, note{ticket: ticket, process: b.process, until: inTime(waitLife), keys: turns.Hashes(keys)})
	})
	return ticket
}

// grant reports whether nobody stands before the ticket, and if so notes that
// it is granted.
func (b *board) grant(ticket uint64, keys []string) bool {
	s := b.read()
	i := s.find(ticket)
	first := i >= 0 && !s.blocked(i)
	if i >= 0 && !first && s.notes[i].until > inTime(waitLife/2) {
		return false
	}
	granted := true // also if the file cannot be changed
	b.change(func(s *boardState) {
		i := s.find(ticket)
		if i < 0 { // it has expired: ask again, for the same place unless others have come
			s.notes = append(s.notes, note{ticket: ticket, process: b.process, keys: turns.Hashes(keys)})
			slices.SortFunc(s.notes, func(x, y note) int { return cmp.Compare(x.ticket, y.ticket) })
			i = s.find(ticket)
		}
		if granted = !s.blocked(i); granted {
			s.notes[i].granted, s.notes[i].until = true, inTime(kv.EmbeddedTurnLife)
			return
		}
		s.notes[i].until = inTime(waitLife)
	})
	return granted
}

// leave takes a ticket back.
func (b *board) leave(ticket uint64) {
	b.change(func(s *boardState) {
		s.notes = slices.DeleteFunc(s.notes, func(n note) bool { return n.ticket == ticket })
	})
}

// others returns the tickets that other processes have for one of the keys;
// with granted only those that are granted.
func (b *board) others(keys []string, granted bool) (tickets []uint64) {
	wanted := turns.Hashes(keys)
	for _, n := range b.read().notes {
		if n.process != b.process && (n.granted || !granted) && turns.Meet(n.keys, wanted) {
			tickets = append(tickets, n.ticket)
		}
	}
	return tickets
}

// taken reports whether another process has the turn on the whole store.
func (b *board) taken() bool {
	return slices.ContainsFunc(b.read().notes, func(n note) bool {
		return n.process != b.process && n.granted && len(n.keys) == 0
	})
}

// empty reports, more quickly than read, whether there are no notes at all.
func (b *board) empty() bool {
	var head [boardHeader]byte
	_, err := b.file.ReadAt(head[:], boardAt)
	return err != nil || binary.BigEndian.Uint32(head[4:]) == 0
}

// read returns the notes that hold now, without the lock: what is being changed
// does not fit its checksum.
func (b *board) read() boardState {
	for range 3 {
		if s, ok := readBoard(b.file); ok {
			s.expire()
			return s
		}
	}
	return boardState{}
}

// change lets fn change the notes, unless the file is out of reach.
func (b *board) change(fn func(*boardState)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.isClosed() {
		b.alter(fn)
	}
}

// alter is change for those who hold b.mu.
func (b *board) alter(fn func(*boardState)) {
	ctx, cancel := context.WithTimeout(context.Background(), boardWait)
	defer cancel()
	if locked, err := b.lock.TryLockContext(ctx, boardPoll); err != nil || !locked {
		return
	}
	defer b.lock.Unlock()
	s, _ := readBoard(b.file)
	s.expire()
	fn(&s)
	s.write(b.file)
}

func inTime(d time.Duration) int64 { return time.Now().Add(d).UnixMilli() }
