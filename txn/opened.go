package txn

import (
	"bytes"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// openedKept bounds the records that are remembered as values, some hundred bytes
// each.
const openedKept = 4096

// opened remembers what the bytes of records were opened and decoded to, of kinds
// that are [Record.Steady]. It is no cache of the store: each attempt reads the record,
// and a value stands for the very bytes that were read and for no others. So it
// saves opening the same bytes again, and nothing else follows from it.
type opened struct {
	mu     sync.Mutex
	values simplelru.LRUCache[string, openedValue]
}

type openedValue struct {
	sealed []byte
	value  any
}

func newOpened() *opened {
	values, err := simplelru.NewLRU[string, openedValue](openedKept, nil)
	if err != nil {
		panic(err) // openedKept is a constant above 0
	}
	return &opened{values: values}
}

// value returns what the bytes of a key's record come to, nil if that is not known.
func (o *opened) value(key string, sealed []byte) any {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known, ok := o.values.Get(key); ok && bytes.Equal(known.sealed, sealed) {
		return known.value
	}
	return nil
}

func (o *opened) remember(key string, sealed []byte, value any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.values.Add(key, openedValue{sealed, value})
}
