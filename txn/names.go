package txn

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Bounds of what is remembered of names. Those of an account, its rooms and whom it
// talks to come in every call; those of messages come in one.
const (
	namesKept = 4096
	nameBytes = 256 // longer ones are blinded each time
)

// names blinds names and remembers the latest: a record is prefetched, read and
// written under the same name, and each keyed hash costs as much as the rest of a read
// in the process that has the store open. What a name is blinded to never changes, so
// that nothing here is ever old.
type names struct {
	sealer  Sealer
	mu      sync.Mutex
	blinded simplelru.LRUCache[string, string]
}

func newNames(s Sealer) *names {
	blinded, err := simplelru.NewLRU[string, string](namesKept, nil)
	if err != nil {
		panic(err) // namesKept is a constant above 0
	}
	return &names{sealer: s, blinded: blinded}
}

func (n *names) blind(name string) string {
	if len(name) > nameBytes {
		return n.sealer.Blind(name)
	}
	n.mu.Lock()
	known, ok := n.blinded.Get(name)
	n.mu.Unlock()
	if ok {
		return known
	}
	blinded := n.sealer.Blind(name)
	n.mu.Lock()
	n.blinded.Add(name, blinded)
	n.mu.Unlock()
	return blinded
}
