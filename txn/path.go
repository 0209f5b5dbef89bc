package txn

import (
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// MaxSegments bounds the segments of a [Path].
const MaxSegments = 4

// Path spells the name of a record within its kind: up to [MaxSegments] words,
// any bytes each. Paths that differ are different names.
type Path struct {
	segments [MaxSegments]string
	n        int // above MaxSegments: too long, which every access refuses
}

// PathOf returns the path of these segments.
func PathOf(segments ...string) Path {
	p := Path{n: len(segments)}
	copy(p.segments[:], segments)
	return p
}

// Spelled is the path of a name that is one word.
func Spelled[N fmt.Stringer](name N) Path { return PathOf(name.String()) }

// String returns the segments with spaces between them, for messages.
func (p Path) String() string { return strings.Join(p.words(), " ") }

func (p *Path) words() []string { return p.segments[:min(p.n, MaxSegments)] }

// Ref names a record of any kind, for [Tx.Prefetch].
type Ref struct {
	kind   string
	shared bool
	path   Path
}

// key returns the key "<account>/<kind>/<segments>..." with the segments
// blinded.
func (tx *Tx) key(ref Ref) (string, error) {
	if tx.done.Load() {
		return "", ErrDone
	}
	if tx.db.sealer == nil {
		return "", ErrNoSealer
	}
	if ref.kind == "" || strings.IndexByte(ref.kind, '/') >= 0 {
		return "", fmt.Errorf("%w: %q is not a kind of record: want a word without '/'", kv.ErrInvalid, ref.kind)
	}
	if ref.path.n > MaxSegments {
		return "", fmt.Errorf("%w: the name of a %s record has %d segments, more than %d", kv.ErrInvalid, ref.kind, ref.path.n, MaxSegments)
	}
	scope := tx.db.scope
	if ref.shared {
		scope = sharedScope
	}
	return tx.spell(scope, ref.kind, ref.path.words()), nil
}

func (tx *Tx) spell(scope, kind string, segments []string) string {
	var b strings.Builder
	b.Grow(len(scope) + 1 + len(kind) + len(segments)*blindedSize)
	b.WriteString(scope)
	b.WriteByte('/')
	b.WriteString(kind)
	for _, name := range segments {
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
