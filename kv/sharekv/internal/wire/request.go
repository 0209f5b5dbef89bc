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
