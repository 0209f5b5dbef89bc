package records

import (
	"context"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Sender is whose a Curve25519 key is: of the user that the first event said which
// came from it and could be decrypted. It is kept of devices that are not known.
type Sender struct {
	Key  ratchet.PublicKey
	User matrix.UserID
}

// Senders: the user that a key is bound to, sender/<curve25519>.
var Senders = txn.Record[ratchet.PublicKey, Sender]{
	Kind: "sender", Codec: machine.Encoded[Sender]{Read: decodeSender},
	Name: func(s Sender) ratchet.PublicKey { return s.Key }, Path: txn.Spelled[ratchet.PublicKey],
}

func senderKind() Kind { return Kind{Records: many(&Senders), Sweep: sweepSenders} }

// senderShare is what deleting one takes of a commit: its peer is looked at.
var senderShare = machine.Share{Bytes: 512, Writes: 1, Checks: 2}

// sweepSenders forgets those of whom all else is forgotten: only who has a key's
// private part can come with it again.
func sweepSenders(ctx context.Context, s *Sweep) error {
	gone := func(tx *txn.Tx, one Sender) (bool, error) {
		_, known, err := Peers.Get(tx, one.Key)
		if machine.IsSetAside(err) {
			return false, nil
		}
		return !known, err
	}
	_, err := machine.Delete(&Senders, senderShare, &s.Damaged, gone).All(ctx, s.Account)
	return err
}

const (
	senderVersion = 2
	senderFields  = 2
)

// Encode returns the record. It fails with matrix.ErrUserID.
func (s Sender) Encode() ([]byte, error) {
	if err := s.User.Check(); err != nil {
		return nil, err
	}
	return frame.Encode(senderVersion, senderFields, 64+len(s.User), func(w *frame.Writer) {
		w.Bytes(s.Key[:])
		w.Text(string(s.User))
	}), nil
}

func decodeSender(b []byte) (s Sender, err error) {
	err = frame.Decode("sender", b, senderVersion, senderFields, func(r *frame.Reader) {
		r.Fixed(s.Key[:])
		s.User = matrix.UserID(r.Text(matrix.MaxLength))
		if r.OK() {
			r.FailWith(s.User.Check())
		}
	})
	if err != nil {
		return Sender{}, err
	}
	return s, nil
}
