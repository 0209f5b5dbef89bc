package badgerkv

import (
	"bytes"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/kv"
)

// put is one key of a Badger transaction.
type put struct {
	key, value []byte
	pieces     byte // that follow the first
	delete     bool
}

func (p *put) into(txn *badger.Txn) error {
	if p.delete {
		return txn.Delete(p.key)
	}
	return txn.SetEntry(badger.NewEntry(p.key, p.value).WithMeta(p.pieces))
}

// splits knows the entries whose values are in pieces, of which there are few,
// so that pieces go when their entry goes.
type splits map[string]int

// puts appends what a write comes to.
func (s splits) puts(to []put, w kv.Write) []put {
	value, more := w.Value, pieces(w.Value)
	if w.Delete {
		value, more = nil, 0
	}
	to = append(to, put{key: entryKey(w.Key), value: value[:min(piece, len(value))], pieces: byte(more), delete: w.Delete})
	for n := 1; n <= more; n++ {
		to = append(to, put{key: pieceKey(w.Key, n), value: value[n*piece : min((n+1)*piece, len(value))]})
	}
	for n := more + 1; n <= s[w.Key]; n++ {
		to = append(to, put{key: pieceKey(w.Key, n), delete: true})
	}
	return to
}

// applied notes a write.
func (s splits) applied(w kv.Write) {
	if more := pieces(w.Value); more > 0 && !w.Delete {
		s[w.Key] = more
	} else if len(s) > 0 {
		delete(s, w.Key)
	}
}

// load finds the pieces in the database.
func (s splits) load(txn *badger.Txn) {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{piecePrefix}})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		key := bytes.Clone(it.Item().Key())
		name, n := string(key[1:len(key)-1]), int(key[len(key)-1])
		s[name] = max(s[name], n)
	}
}
