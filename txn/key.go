package txn

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// sharedScope is the first segment of keys that belong to no account. Blinded
// names are longer, so none equals it.
const sharedScope = "_"

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
		b.WriteString(tx.db.names.blind(name))
	}
	return b.String()
}

// blindedSize is a guess of the length of a segment and its slash.
const blindedSize = 23

// kindOf returns the readable kind in a key.
func kindOf(key string) string {
	_, rest, ok := strings.Cut(key, "/")
	if !ok {
		return "other"
	}
	kind, _, _ := strings.Cut(rest, "/")
	return kind
}

// Sealer encrypts values together with their key path and blinds names.
// Package seal has the real one. Its methods may be called from any number of
// goroutines.
type Sealer interface {
	// Seal appends the sealed plaintext to dst, which may be nil.
	Seal(dst []byte, path string, plaintext []byte) []byte
	// Open appends the plaintext to dst, which may be nil. It fails if sealed
	// is damaged or was not sealed for this path. It does not change sealed.
	Open(dst []byte, path string, sealed []byte) ([]byte, error)
	// Blind returns a path segment that stands for a name: the same for the
	// same name, another for any other, longer than one byte, without '/'.
	Blind(name string) string
}

// Plaintext is a Sealer that hides nothing, for tests and simulations. It
// binds a value to its path as a real one does, so that a moved entry shows.
var Plaintext Sealer = plaintext{}

type plaintext struct{}

func (plaintext) Seal(dst []byte, path string, p []byte) []byte {
	dst = append(dst, path...)
	dst = append(dst, 0)
	return append(dst, p...)
}

func (plaintext) Open(dst []byte, path string, sealed []byte) ([]byte, error) {
	n := len(path)
	if len(sealed) <= n || string(sealed[:n]) != path || sealed[n] != 0 {
		return nil, fmt.Errorf("the value does not belong to this key")
	}
	return append(dst, sealed[n+1:]...), nil
}

// Blind keeps short plain words readable and encodes all other names.
func (plaintext) Blind(name string) string {
	for i := range len(name) {
		if c := name[i]; c < 'a' || c > 'z' {
			return "." + base64.RawURLEncoding.EncodeToString([]byte(name))
		}
	}
	return "=" + name
}
