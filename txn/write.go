package txn

import (
	"fmt"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// write is what fn last wrote to a key. It is encoded and sealed at the
// commit, once, however often it was replaced.
type write struct {
	key     string
	coder   coder
	value   any
	deleted bool

	// A join whose base fn has not seen: see join.go.
	base  *read
	delta any
	join  func(a, b any) any
}

func (tx *Tx) put(w *write) {
	old := tx.writes[w.key]
	if old != nil {
		if old.base != nil {
			old.base.joined = false
		}
		*old = *w
		return
	}
	if tx.writes == nil {
		tx.writes = make(map[string]*write, 8)
	}
	tx.writes[w.key] = w
	tx.queue = append(tx.queue, w)
}

// plaintexts lends buffers for encodings; they are wiped before they go back.
var plaintexts = sync.Pool{New: func() any { return new([]byte) }}

// seal returns the kv write.
func (tx *Tx) seal(w *write) (kv.Write, error) {
	if w.deleted {
		return kv.Write{Key: w.key, Delete: true}, nil
	}
	probe := tx.Probe()
	buf := plaintexts.Get().(*[]byte)
	began := probe.Begin()
	plain, err := w.coder.encode((*buf)[:0], w.value)
	probe.End(Encoding, began)
	if err != nil {
		return kv.Write{}, fmt.Errorf("txn: encode a record of kind %s: %w", kindOf(w.key), err)
	}
	began = probe.Begin()
	sealed := tx.db.sealer.Seal(nil, w.key, plain)
	probe.End(Sealing, began)
	clear(plain)
	*buf = plain
	plaintexts.Put(buf)
	return kv.Write{Key: w.key, Value: sealed}, nil
}
