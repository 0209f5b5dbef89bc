package records

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// NoOlm is a notice m.no_olm: somebody says that their device could not open a
// session with us. It is of no room and of no session, so it has a place of its
// own: one for each device, and only for devices that are known.
//
// Nobody signs it. It is a hint and nothing else: whoever mends sessions may open
// one with the device and send m.dummy in it, no more often than without the hint,
// and then deletes it.
type NoOlm struct {
	Key    ratchet.PublicKey // of the device, which the user owns
	From   matrix.UserID
	Reason string
	At     time.Time
	Order  record.Order
}

// NoOlms: no-olm/<Curve25519 key>.
var NoOlms = txn.Record[ratchet.PublicKey, NoOlm]{
	Kind: "no-olm", Codec: machine.Encoded[NoOlm]{Read: decodeNoOlm},
	Name: func(n NoOlm) ratchet.PublicKey { return n.Key },
	Path: txn.Spelled[ratchet.PublicKey],
}

// NoOlmPause is how long a notice stays as it is when it comes again.
const NoOlmPause = time.Hour

func noOlmKind() Kind { return Kind{Records: many(&NoOlms), Sweep: sweepNoOlms} }

var noOlmShare = machine.Share{Bytes: 1 << 10, Writes: 1, Checks: 1}

const (
	noOlmVersion = 2
	noOlmFields  = 5
)

// Encode returns the record.
func (n NoOlm) Encode() ([]byte, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	size := 96 + len(n.From) + len(n.Reason)
	return record.Encode(noOlmVersion, noOlmFields, size, func(w *record.Writer) {
		w.Bytes(n.Key[:])
		w.Text(string(n.From))
		w.Text(n.Reason)
		w.Time(n.At)
		w.Order(n.Order)
	}), nil
}

func (n NoOlm) check() error {
	if err := n.From.Check(); err != nil {
		return err
	}
	if len(n.Reason) > group.MaxReason || !utf8.ValidString(n.Reason) {
		return fmt.Errorf("%w: reason", record.ErrFormat)
	}
	return nil
}

func decodeNoOlm(b []byte) (n NoOlm, err error) {
	err = record.Decode("no-olm", b, noOlmVersion, noOlmFields, func(r *record.Reader) {
		r.Fixed(n.Key[:])
		n.From = matrix.UserID(r.Text(matrix.MaxLength))
		n.Reason = r.Text(group.MaxReason)
		n.At = r.Time()
		n.Order = r.Order()
		if r.OK() {
			r.FailWith(n.check())
		}
	})
	if err != nil {
		return NoOlm{}, err
	}
	return n, nil
}

func sweepNoOlms(ctx context.Context, s *Sweep) error {
	old := func(_ *txn.Tx, n NoOlm) (bool, error) { return s.Now.Sub(n.At) >= WithheldLife, nil }
	_, err := machine.Delete(&NoOlms, noOlmShare, &s.Damaged, old).All(ctx, s.Account)
	return err
}
