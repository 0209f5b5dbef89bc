package wire

import (
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// held is what a connection holds of the store.
type held struct {
	mu        sync.Mutex
	stopped   bool // streams end at once
	released  bool // turns, too
	snapshots map[uint64]kv.Snapshot
	turns     map[kv.TurnID]func()
	streams   map[uint64]*stream
	commits   map[kv.CommitID]chan struct{} // closed when the commit is over
}

func newHeld() held {
	return held{
		snapshots: make(map[uint64]kv.Snapshot),
		turns:     make(map[kv.TurnID]func()),
		streams:   make(map[uint64]*stream),
		commits:   make(map[kv.CommitID]chan struct{}),
	}
}

// snapshot returns the one that the client calls by a number: the first use
// makes it.
func (h *held) snapshot(store kv.Store, number uint64) kv.Snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	snapshot := h.snapshots[number]
	if snapshot == nil {
		snapshot = store.Snapshot()
		h.snapshots[number] = snapshot
	}
	return snapshot
}

func (h *held) closeSnapshot(number uint64) kv.Snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	snapshot := h.snapshots[number]
	delete(h.snapshots, number)
	return snapshot
}

// addTurn keeps a turn until it is released.
func (h *held) addTurn(turn kv.Turn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.released {
		turn.Release()
		return
	}
	h.turns[turn.ID] = turn.Release
}

func (h *held) releaseTurn(id kv.TurnID) {
	h.mu.Lock()
	release := h.turns[id]
	delete(h.turns, id)
	h.mu.Unlock()
	if release != nil {
		release()
	}
}

// only lets one copy of a commit go at a time. It returns what to wait for
// before calling it again, or nil when the caller may go, and must call done.
func (h *held) only(id kv.CommitID) (earlier <-chan struct{}, done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if running := h.commits[id]; running != nil {
		return running, nil
	}
	running := make(chan struct{})
	h.commits[id] = running
	return nil, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.commits, id)
		close(running)
	}
}

func (h *held) addStream(number uint64, s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[number] = s
	if h.stopped {
		s.cancel()
	}
}

func (h *held) dropStream(number uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, number)
}

// more lets a stream send its next page.
func (h *held) more(number uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.streams[number]; s != nil {
		s.grant()
	}
}

// stop ends streams, which would wait for their client otherwise.
func (h *held) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	for _, s := range h.streams {
		s.cancel()
	}
}

// release gives everything back.
func (h *held) release() {
	h.mu.Lock()
	snapshots, turns := h.snapshots, h.turns
	h.snapshots, h.turns = make(map[uint64]kv.Snapshot), make(map[kv.TurnID]func())
	h.released = true
	h.mu.Unlock()
	for _, snapshot := range snapshots {
		snapshot.Close()
	}
	for _, release := range turns {
		release()
	}
}
