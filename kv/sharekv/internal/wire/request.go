package wire

import (
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// op is what a request asks for.
type op uint8

const (
	opGet     op = 1 + iota // snapshot, keys: its version, and an entry each
	opScan                  // snapshot, prefix: its version, and pages of entries
	opClose                 // snapshot. Not answered
	opCommit                // batch: version
	opTurn                  // keys: turn
	opRelease               // turn. Not answered
	opWatch                 // prefix, after: pages of changes
	opMore                  // number of a scan or watch: its next page. Not answered by itself
	opCancel                // number of a request: it ends soon, and is answered. Not answered by itself
	opPing                  // nothing
	opFlatten               // nothing, when it is done
	opRaise                 // format. Since version 3
)

// request is one of a client's: an array of number, op, and what the op takes in
// the version that both sides speak.
type request struct {
	number uint64
	op     op
	on     uint64 // a snapshot, a turn or a request
	keys   []string
	prefix string
	after  kv.Version
	batch  *kv.Batch
	sent   func() // called once when it was sent, or will not be; may be nil
}

func (r *request) frame(version uint64) ([]byte, error) {
	o := newOut(2 + r.args(version))
	o.uint(r.number)
	o.uint(uint64(r.op))
	switch r.op {
	case opGet:
		o.uint(r.on)
		o.strings(r.keys)
	case opScan:
		o.uint(r.on)
		o.string(r.prefix)
	case opClose, opRelease, opMore, opCancel:
		o.uint(r.on)
	case opCommit:
		o.batch(r.batch, version)
	case opTurn:
		o.strings(r.keys)
	case opWatch:
		o.string(r.prefix)
		o.version(r.after)
	}
	return o.frame()
}

// args is how many elements the op takes.
func (r *request) args(version uint64) int {
	switch r.op {
	case opGet, opScan, opWatch:
		return 2
	case opClose, opRelease, opMore, opCancel, opTurn:
		return 1
	case opCommit:
		if version >= versionAgain {
			return 8
		}
		return 7
	}
	return 0
}

func parseRequest(payload []byte, version uint64) (*request, error) {
	i := newIn(payload, 2)
	r := &request{number: i.uint(), op: op(i.uint())}
	switch r.op {
	case opGet:
		r.on, r.keys = i.uint(), i.strings()
	case opScan:
		r.on, r.prefix = i.uint(), i.string()
	case opClose, opRelease, opMore, opCancel:
		r.on = i.uint()
	case opCommit:
		r.batch = i.batch(version)
	case opTurn:
		r.keys = i.strings()
	case opWatch:
		r.prefix, r.after = i.string(), i.version()
	case opPing, opFlatten:
	case opRaise:
		if version < versionFormats {
			i.fail(fmt.Errorf("request %d", r.op))
		}
	default:
		i.fail(fmt.Errorf("request %d", r.op))
	}
	return r, i.end()
}

// status is how an answer goes on.
type status uint8

const (
	answered status = iota // this is all
	partial                // a part, or a page: more comes, or can be asked for
	failed                 // an error
)

// answer begins the answer to a request: an array of number, status, and as
// many elements as the op has.
func answer(number uint64, s status, elements int) *out {
	o := newOut(2 + elements)
	o.uint(number)
	o.uint(uint64(s))
	return o
}

// batch writes: began, random, sync, turn, reads, scans, writes, and from version
// 2 on, again.
func (o *out) batch(b *kv.Batch, version uint64) {
	o.version(b.ID.Began)
	o.bytes(b.ID.Random[:])
	o.bool(b.Sync)
	o.uint(uint64(b.Turn))
	o.reads(b.Reads)
	each(o, b.Scans, func(s kv.ScanRead) {
		o.list(2)
		o.string(s.Prefix)
		o.reads(s.Entries)
	})
	each(o, b.Writes, func(w kv.Write) {
		if w.Delete {
			o.list(1)
			o.string(w.Key)
			return
		}
		o.list(2)
		o.string(w.Key)
		o.bytes(w.Value)
	})
	if version >= versionAgain {
		o.bool(b.Again)
	}
}

func (o *out) reads(reads []kv.Read) {
	each(o, reads, func(r kv.Read) {
		o.list(2)
		o.string(r.Key)
		o.version(r.Version)
	})
}

func (i *in) batch(version uint64) *kv.Batch {
	b := &kv.Batch{}
	b.ID.Began = i.version()
	if random := i.bytes(); len(random) == len(b.ID.Random) {
		copy(b.ID.Random[:], random)
	} else {
		i.fail(fmt.Errorf("a commit ID of %d bytes", len(random)))
	}
	b.Sync = i.bool()
	b.Turn = kv.TurnID(i.uint())
	b.Reads = i.reads()
	b.Scans = all(i, func() kv.ScanRead {
		i.tuple(2, 2)
		return kv.ScanRead{Prefix: i.string(), Entries: i.reads()}
	})
	b.Writes = all(i, i.write)
	if version >= versionAgain {
		b.Again = i.bool()
	}
	return b
}

func (i *in) reads() []kv.Read {
	return all(i, func() kv.Read {
		i.tuple(2, 2)
		return kv.Read{Key: i.string(), Version: i.version()}
	})
}

func (i *in) write() kv.Write {
	deletes := i.tuple(1, 2) == 1
	w := kv.Write{Key: i.string(), Delete: deletes}
	if !w.Delete {
		w.Value = i.bytes()
	}
	return w
}

// entry writes: version, and if there is one, the value. The key is the asker's.
func (o *out) entry(e kv.Entry) {
	if !e.Exists() {
		o.list(1)
		o.uint(0)
		return
	}
	o.list(2)
	o.version(e.Version)
	o.bytes(e.Value)
}

func (i *in) entry(key string) kv.Entry {
	exists := i.tuple(1, 2) == 2
	e := kv.Entry{Key: key, Version: i.version()}
	if exists != e.Exists() {
		i.fail(fmt.Errorf("an entry of version %d, and a value: %v", e.Version, exists))
	}
	if exists {
		if e.Value = i.bytes(); e.Value == nil {
			e.Value = []byte{} // a value of no bytes is a value
		}
	}
	return e
}

// scanned writes: key, version, value.
func (o *out) scanned(e kv.Entry) {
	o.list(3)
	o.string(e.Key)
	o.version(e.Version)
	o.bytes(e.Value)
}

func (i *in) scanned() kv.Entry {
	i.tuple(3, 3)
	e := kv.Entry{Key: i.string(), Version: i.version(), Value: i.bytes()}
	if e.Value == nil {
		e.Value = []byte{}
	}
	return e
}

// change writes: key, version, head, resync.
func (o *out) change(c kv.Change) {
	o.list(4)
	o.string(c.Key)
	o.version(c.Version)
	o.version(c.Head)
	o.bool(c.Resync)
}

func (i *in) change() kv.Change {
	i.tuple(4, 4)
	return kv.Change{Key: i.string(), Version: i.version(), Head: i.version(), Resync: i.bool()}
}
