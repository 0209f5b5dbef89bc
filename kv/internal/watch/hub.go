package watch

import (
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// LogSize is how many changes a hub keeps at least: two of the largest commits.
// With Pawl's keys they take about 2 MB at most.
const LogSize = 2 * kv.EmbeddedWrites

// Hub serves the watchers of one store. Its methods may be called from any
// number of goroutines.
type Hub struct {
	size   int
	closed chan struct{}

	mu       sync.Mutex
	head     kv.Version // of the newest commit published
	floor    kv.Version // changes of this version and older have left the log
	log      []change   // in the order of versions
	watchers map[*watcher]struct{}
}

type change struct {
	key     string
	version kv.Version
	deleted bool
}

// watcher is a place in the log. Its fields change under Hub.mu.
type watcher struct {
	prefix string
	after  kv.Version    // everything up to here was yielded
	rung   bool          // something with the prefix came since
	bell   chan struct{} // has room for one ring
}

// New returns a hub for a store whose newest commit is head and of whose past
// nothing is known. A size of 0 means LogSize; it keeps up to twice as many.
func New(head kv.Version, size int) *Hub {
	if size <= 0 {
		size = LogSize
	}
	return &Hub{
		size:     size,
		closed:   make(chan struct{}),
		head:     head,
		floor:    head,
		watchers: make(map[*watcher]struct{}),
	}
}

// Publish tells that a version was committed and is visible. Versions must
// rise from call to call: what several commits wrote at one version comes in
// one call, or a watcher that goes on from there would miss the rest.
func (h *Hub) Publish(version kv.Version, commits ...[]kv.Write) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, writes := range commits {
		for _, w := range writes {
			h.log = append(h.log, change{key: w.Key, version: version, deleted: w.Delete})
		}
		h.ring(writes)
	}
	h.head = version
	h.trim()
}

// Close ends every watch with kv.ErrClosed. Closing twice is harmless.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closed:
	default:
		close(h.closed)
	}
}

// ring wakes those who watch one of the keys. What was published before did
// not concern a watcher that had not been rung, so its place moves up: it is
// not told to resync because of other people's changes.
func (h *Hub) ring(writes []kv.Write) {
	for w := range h.watchers {
		if w.rung || !w.concerns(writes) {
			continue
		}
		w.rung = true
		w.after = max(w.after, h.head)
		w.bell <- struct{}{} // has room: it is emptied before rung is cleared
	}
}

func (w *watcher) concerns(writes []kv.Write) bool {
	return slices.ContainsFunc(writes, func(o kv.Write) bool { return strings.HasPrefix(o.Key, w.prefix) })
}

// trim drops the oldest changes once twice as many as wanted are there, so
// that each is moved once on average.
func (h *Hub) trim() {
	if len(h.log) <= 2*h.size {
		return
	}
	drop := len(h.log) - h.size
	h.floor = h.log[drop-1].version
	h.log = slices.Delete(h.log, 0, drop)
}

// since returns what w has not seen, the latest change of each key, and moves
// it to the head.
func (h *Hub) since(w *watcher) []kv.Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	after := w.after
	w.after, w.rung = h.head, false
	if after < h.floor || after > h.head {
		return []kv.Change{{Resync: true, Head: h.head}}
	}
	first := sort.Search(len(h.log), func(i int) bool { return h.log[i].version > after })
	return h.coalesce(h.log[first:], w.prefix)
}

// coalesce keeps the last change of each key with the prefix. Changes come in
// the order of versions, so whoever saw one has seen all that is older than
// the next: that is where a lost watch goes on.
func (h *Hub) coalesce(log []change, prefix string) []kv.Change {
	var latest []kv.Change
	seen := make(map[string]struct{})
	head := h.head
	for _, c := range slices.Backward(log) {
		if _, newer := seen[c.key]; newer || !strings.HasPrefix(c.key, prefix) {
			continue
		}
		seen[c.key] = struct{}{}
		told := kv.Change{Key: c.key, Version: c.version, Head: head}
		if c.deleted {
			told.Version = 0
		}
		latest = append(latest, told)
		head = c.version - 1
	}
	slices.Reverse(latest)
	return latest
}
