package records

import (
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/txn"
)

// Import is that an account was imported from another program, and how far that has
// come.
type Import struct {
	Program string // that it came from
	// Digest is of what is imported: another list does not go on with an import that
	// was begun.
	Digest [32]byte
	// Generation is that of the store when it was begun: a store that went back in
	// time since may have sent what the list does not know of.
	Generation uint64
	Done       uint64 // how many keys and sessions are in
	Begun      time.Time
	Finished   time.Time // zero: not yet
}

// MaxProgram bounds the name of a program.
const MaxProgram = 64

// Imports: how an account was imported, import. It stays: what was imported once is
// never put back by the same list.
var Imports = txn.Single[Import]{Kind: "import", Codec: machine.Encoded[Import]{Read: decodeImport}}

// Set aside it says that the account was imported.
func importKind() Kind { return Kind{Records: one(&Imports)} }

const (
	importVersion = 2 // there is none in format 1
	importFields  = 6
)

// Encode returns the record.
func (i Import) Encode() ([]byte, error) {
	return frame.Encode(importVersion, importFields, 96+len(i.Program), func(w *frame.Writer) {
		w.Text(i.Program)
		w.Bytes(i.Digest[:])
		w.Uint(i.Generation)
		w.Uint(i.Done)
		w.Time(i.Begun)
		w.Time(i.Finished)
	}), nil
}

func decodeImport(b []byte) (i Import, err error) {
	err = frame.Decode("import", b, importVersion, importFields, func(r *frame.Reader) {
		i.Program = r.Text(MaxProgram)
		r.Fixed(i.Digest[:])
		i.Generation, i.Done = r.Uint(1<<64-1), r.Uint(1<<32-1)
		i.Begun, i.Finished = r.Time(), r.Time()
	})
	if err != nil {
		return Import{}, err
	}
	return i, nil
}
