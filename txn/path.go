package txn

import (
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// Ref names a record of any kind, for [Tx.Prefetch].
type Ref struct {
	kind   string
	shared bool
	id     []string
}

// path returns the key "<account>/<kind>/<id>..." with the ids blinded.
func (tx *Tx) path(kind string, shared bool, id []string) (string, error) {
	if tx.done.Load() {
		return "", ErrDone
	}
	if tx.db.sealer == nil {
		return "", ErrNoSealer
	}
	if kind == "" || strings.IndexByte(kind, '/') >= 0 {
		return "", fmt.Errorf("%w: %q is not a kind of record: want a word without '/'", kv.ErrInvalid, kind)
	}
	scope := tx.db.scope
	if shared {
		scope = sharedScope
	}
	return tx.spell(scope, kind, id), nil
}

func (tx *Tx) spell(scope, kind string, id []string) string {
	var b strings.Builder
	b.Grow(len(scope) + 1 + len(kind) + len(id)*blindedSize)
	b.WriteString(scope)
	b.WriteByte('/')
	b.WriteString(kind)
	for _, name := range id {
		b.WriteByte('/')
		b.WriteString(tx.call.blind(name))
	}
	return b.String()
}

// blindedSize is a guess of the length of a segment and its slash.
const blindedSize = 23

// blind remembers the names of one call: a record is prefetched, read and
// written under the same name, and each keyed hash costs as much as the rest
// of a read.
func (c *call) blind(name string) string {
	if s, ok := c.blinded[name]; ok {
		return s
	}
	if c.blinded == nil {
		c.blinded = make(map[string]string, 4)
	}
	s := c.db.sealer.Blind(name)
	c.blinded[name] = s
	return s
}

// kindOf returns the readable kind in a key path.
func kindOf(key string) string {
	_, rest, ok := strings.Cut(key, "/")
	if !ok {
		return "other"
	}
	kind, _, _ := strings.Cut(rest, "/")
	return kind
}
