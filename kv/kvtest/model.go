package kvtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/pawlkv/pawl/kv"
)

// cellKeys are the keys of a random history, sorted. They are few, so that
// transactions meet.
var cellKeys = [...]string{"h/a/1", "h/a/2", "h/b/1", "h/b/2", "h/c"}

// cellPrefixes are what its transactions scan.
var cellPrefixes = []string{"h/", "h/a/", "h/b/", "h/d/"}

// unseen stands for the version of a commit whose outcome nobody learnt: no
// view ever showed what it wrote, so no read can name its version.
const unseen = ^kv.Version(0)

// cell is the newest state of a key.
type cell struct {
	version kv.Version // of the latest put or deletion; 0: never changed
	value   string     // unique in a history
	deleted bool
}

// reads returns the version at which a read finds the cell.
func (c cell) reads() kv.Version {
	if c.deleted {
		return 0
	}
	return c.version
}

// state is what the model store holds: a map with conditional commits.
type state struct {
	head  kv.Version
	loose bool // a commit of unknown version, or a refusal, came after head
	cells [len(cellKeys)]cell
}

// commitOp is a commit and its outcome: exactly one of version, conflict, refused
// and unknown.
type commitOp struct {
	batch    *kv.Batch
	version  kv.Version
	conflict *kv.ConflictError
	refused  bool // a try before the last was refused
	unknown  bool // may have been applied, at any time after its call
	again    bool // it took several tries
}

// viewOp is what one snapshot showed, all of it or so far, and perhaps its version
// then.
type viewOp struct {
	version *kv.Version // nil: not asked for
	entries []kv.Entry
	scans   []viewScan
}

// goneOp is a call on a view that is gone: something that it has shown must have
// changed by then.
type goneOp struct{ seen viewOp }

// clone returns what was seen so far, as it stays when more is seen.
func (op *viewOp) clone() viewOp {
	return viewOp{entries: slices.Clone(op.entries), scans: slices.Clone(op.scans)}
}

type viewScan struct {
	prefix  string
	entries []kv.Entry
	part    bool // it was broken off after its last entry
}

// last is the key up to which the scan came.
func (s viewScan) last() string {
	if len(s.entries) == 0 {
		return ""
	}
	return s.entries[len(s.entries)-1].Key
}

// storeModel is the sequential store that every history has to be explained
// by. A commit of unknown outcome returns at the end of time: to put it last is
// to say that it was never applied.
var storeModel = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(now, op, _ any) (bool, any) {
		switch op := op.(type) {
		case *commitOp:
			return now.(state).commit(op)
		case *viewOp:
			return now.(state).shows(op), now
		case *goneOp:
			return !now.(state).shows(&op.seen), now
		}
		return false, now
	},
	DescribeOperation: func(op, _ any) string { return fmt.Sprint(op) },
	DescribeState:     func(now any) string { return fmt.Sprintf("%+v", now) },
}

// commit returns whether the outcome is right in this state, and the next.
func (s state) commit(op *commitOp) (bool, any) {
	switch {
	case op.conflict != nil:
		return s.refuses(op), s.refuse(op)
	case op.refused:
		return !s.holds(op.batch), s.refuse(op)
	case op.unknown && (len(op.batch.Writes) == 0 || !s.holds(op.batch)):
		return true, s.refuse(op)
	case op.unknown:
		return true, s.apply(op.batch, unseen)
	case len(op.batch.Writes) == 0:
		return s.holds(op.batch) && s.isHead(op.version), s
	}
	if !s.holds(op.batch) || !s.allows(op.batch, op.version) {
		return false, s
	}
	return true, s.apply(op.batch, op.version)
}

// refuse returns the state after a refusal, which may have taken a version.
func (s state) refuse(op *commitOp) state {
	s.loose = s.loose || op.again && len(op.batch.Writes) > 0
	return s
}

// refuses reports whether everything that the conflict names is stale. A key
// may have been read twice, at two versions.
func (s state) refuses(op *commitOp) bool {
	for _, key := range op.conflict.Keys {
		stale := func(r kv.Read) bool { return r.Key == key && s.reads(key) != r.Version }
		if !slices.ContainsFunc(op.batch.Reads, stale) {
			return false
		}
	}
	for _, prefix := range op.conflict.Prefixes {
		stale := func(r kv.ScanRead) bool { return r.Prefix == prefix && !slices.Equal(s.scan(prefix), r.Entries) }
		if !slices.ContainsFunc(op.batch.Scans, stale) {
			return false
		}
	}
	return len(op.conflict.Keys)+len(op.conflict.Prefixes) > 0
}

func (s state) reads(key string) kv.Version { return s.cells[cellOf(key)].reads() }

func (s state) holds(b *kv.Batch) bool {
	for _, r := range b.Reads {
		if s.reads(r.Key) != r.Version {
			return false
		}
	}
	for _, scan := range b.Scans {
		if !slices.Equal(s.scan(scan.Prefix), scan.Entries) {
			return false
		}
	}
	return true
}

func (s state) scan(prefix string) []kv.Read {
	var entries []kv.Read
	for i, key := range cellKeys {
		if version := s.cells[i].reads(); version != 0 && strings.HasPrefix(key, prefix) {
			entries = append(entries, kv.Read{Key: key, Version: version})
		}
	}
	return entries
}

// isHead reports whether a view may be of the version.
func (s state) isHead(version kv.Version) bool {
	return version == s.head || s.loose && version > s.head
}

// allows reports whether a commit may get the version: higher than all before,
// or shared with a commit that wrote other keys.
func (s state) allows(b *kv.Batch, version kv.Version) bool {
	for _, w := range b.Writes {
		if c := s.cells[cellOf(w.Key)]; c.version != unseen && c.version >= version {
			return false
		}
	}
	return version > 0 && version >= s.head
}

func (s state) apply(b *kv.Batch, version kv.Version) state {
	s.loose = version == unseen
	if !s.loose {
		s.head = version
	}
	for _, w := range b.Writes {
		c := cell{version: version, value: string(w.Value)}
		if w.Delete {
			c = cell{version: version, deleted: true}
		}
		s.cells[cellOf(w.Key)] = c
	}
	return s
}

// shows reports whether a view of this state shows all that op saw.
func (s state) shows(op *viewOp) bool {
	for _, entry := range op.entries {
		if !s.matches(entry) {
			return false
		}
	}
	for _, scan := range op.scans {
		now := s.scan(scan.prefix)
		if scan.part {
			now = slices.DeleteFunc(now, func(r kv.Read) bool { return r.Key > scan.last() })
		}
		if !slices.Equal(now, readsOf(scan.entries)) || !s.shows(&viewOp{entries: scan.entries}) {
			return false
		}
	}
	return op.version == nil || s.isHead(*op.version)
}

func (s state) matches(entry kv.Entry) bool {
	c := s.cells[cellOf(entry.Key)]
	return c.reads() == entry.Version && (entry.Version == 0 || c.value == string(entry.Value))
}

func cellOf(key string) int { return slices.Index(cellKeys[:], key) }

func (op *commitOp) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "commit reads %v scans %v writes", op.batch.Reads, op.batch.Scans)
	for _, w := range op.batch.Writes {
		fmt.Fprintf(&text, " %s=%q,%v", w.Key, w.Value, w.Delete)
	}
	switch {
	case op.unknown:
		text.WriteString(" -> unknown")
	case op.refused:
		text.WriteString(" -> refused before")
	case op.conflict != nil:
		fmt.Fprintf(&text, " -> conflict %q %q", op.conflict.Keys, op.conflict.Prefixes)
	default:
		fmt.Fprintf(&text, " -> version %d", op.version)
	}
	return text.String()
}

func (op *goneOp) String() string { return "gone: " + op.seen.String() }

func (op *viewOp) String() string {
	text := "view"
	if op.version != nil {
		text += fmt.Sprintf(" of version %d", *op.version)
	}
	for _, entry := range op.entries {
		text += fmt.Sprintf(" %s=%q@%d", entry.Key, entry.Value, entry.Version)
	}
	for _, scan := range op.scans {
		text += fmt.Sprintf(" %s*%v", scan.prefix, scan.entries)
	}
	return text
}
