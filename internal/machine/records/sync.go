package records

import (
	"slices"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/txn"
)

// MaxToken bounds a token in bytes: servers' have some hundreds.
const MaxToken = 16 << 10

// MaxTransactions is how many transactions of an application service are
// remembered.
const MaxTransactions = 100

// SyncState is how far an account has come in its syncs. All tokens are the
// server's, opaque, and in no order.
type SyncState struct {
	Since    string // of /sync
	Pos      string // of simplified sliding sync
	ToDevice string // of its to-device extension
	// Taking names the response whose rooms are being put into the store in more than
	// one commit, or whose token waits for its events to be handled, by the first bytes
	// of its SHA-256; zero: none is.
	Taking [8]byte
	// Transactions are those of an application service that were taken in last, the
	// newest last.
	Transactions []Transaction
}

// Transaction is one that was taken in.
type Transaction struct {
	Digest [32]byte // of its id and its body
	// Returned says that it had events which were returned to the caller, who may
	// have died with them.
	Returned bool
}

// Had returns a transaction that was taken in.
func (s SyncState) Had(digest [32]byte) (Transaction, bool) {
	at := slices.IndexFunc(s.Transactions, func(t Transaction) bool { return t.Digest == digest })
	if at < 0 {
		return Transaction{}, false
	}
	return s.Transactions[at], true
}

// Add adds a transaction, and forgets the oldest if there are too many.
func (s SyncState) Add(t Transaction) SyncState {
	rest := slices.DeleteFunc(slices.Clone(s.Transactions), func(old Transaction) bool { return old.Digest == t.Digest })
	s.Transactions = append(rest[max(len(rest)+1-MaxTransactions, 0):], t)
	return s
}

// Same reports whether two states are the same.
func (s SyncState) Same(other SyncState) bool {
	return s.Since == other.Since && s.Pos == other.Pos && s.ToDevice == other.ToDevice && s.Taking == other.Taking &&
		slices.Equal(s.Transactions, other.Transactions)
}

// Sync: the record sync.
var Sync = txn.Single[SyncState]{Kind: "sync", Codec: machine.Encoded[SyncState]{Read: decodeSyncState}}

// Set aside, or dropped, it is as if nothing had been synced yet.
func syncKind() Kind { return Kind{Records: one(&Sync), Broken: dropFix} }

// SyncShare is what changing the record takes of a commit.
var SyncShare = machine.Share{Bytes: 3*MaxToken + 40*MaxTransactions + 256, Writes: 1, Checks: 1}

const (
	syncVersion = 2
	syncFields  = 5
)

// Encode returns the record.
func (s SyncState) Encode() ([]byte, error) {
	size := len(s.Since) + len(s.Pos) + len(s.ToDevice) + 36*len(s.Transactions) + 64
	return frame.Encode(syncVersion, syncFields, size, func(w *frame.Writer) {
		w.Text(s.Since)
		w.Text(s.Pos)
		w.Text(s.ToDevice)
		w.Bytes(s.Taking[:])
		w.Count(2 * len(s.Transactions))
		for _, t := range s.Transactions {
			w.Bytes(t.Digest[:])
			w.Bool(t.Returned)
		}
	}), nil
}

func decodeSyncState(b []byte) (s SyncState, err error) {
	err = frame.Decode("sync", b, syncVersion, syncFields, func(r *frame.Reader) {
		s.Since, s.Pos, s.ToDevice = r.Text(MaxToken), r.Text(MaxToken), r.Text(MaxToken)
		r.Fixed(s.Taking[:])
		fields := r.Count(2 * MaxTransactions)
		r.Check(fields%2 == 0, "transactions")
		for i := 0; i < fields && r.OK(); i += 2 {
			var t Transaction
			r.Fixed(t.Digest[:])
			t.Returned = r.Bool()
			s.Transactions = append(s.Transactions, t)
		}
	})
	if err != nil {
		return SyncState{}, err
	}
	return s, nil
}

// ReadSync returns how far the account has come: nowhere, if nothing is stored or
// what was is known to be lost.
func ReadSync(tx *txn.Tx) (SyncState, error) {
	s, _, err := Sync.Get(tx)
	if machine.IsSetAside(err) {
		return SyncState{}, nil
	}
	return s, err
}
