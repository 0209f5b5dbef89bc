package wire

import (
	"maps"
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
	tries     map[kv.CommitID]try // that are not over, or whose client may not know how they ended
}

func newHeld() held {
	return held{
		snapshots: make(map[uint64]kv.Snapshot),
		turns:     make(map[kv.TurnID]func()),
		streams:   make(map[uint64]*stream),
		tries:     make(map[kv.CommitID]try),
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

// try is the latest one of a commit that came over this connection.
type try struct {
	over   chan struct{} // closed when it has ended
	number uint64        // of its request
}

// begin lets the tries of one commit go one after the other, in the order in
// which they came: the caller waits for the earlier one, if it is not nil, and
// calls end. It must be called in the order of requests.
func (h *held) begin(id kv.CommitID, number uint64) (this, earlier try) {
	h.mu.Lock()
	defer h.mu.Unlock()
	earlier = h.tries[id]
	this = try{over: make(chan struct{}), number: number}
	h.tries[id] = this
	return this, earlier
}

// end ends a try. It stays known if its client may not know its outcome.
func (h *held) end(id kv.CommitID, this try, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(this.over)
	if known && h.tries[id].number == this.number {
		delete(h.tries, id)
	}
}

// inherit takes over what an earlier connection of the client knows of tries.
// That connection has ended, and they with it.
func (h *held) inherit(earlier *held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.Copy(h.tries, earlier.tries)
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
