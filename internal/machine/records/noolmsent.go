package records

import (
	"context"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Told says that a device was told that we have no session with it. It is told once
// until there was one.
type Told struct {
	Device ratchet.PublicKey
	At     time.Time
}

// ToldNoOlm: devices that were sent m.no_olm, told-no-olm/<curve25519>.
var ToldNoOlm = txn.Record[ratchet.PublicKey, Told]{
	Kind: "told-no-olm", Codec: machine.Encoded[Told]{Read: decodeTold},
	Name: func(t Told) ratchet.PublicKey { return t.Device }, Path: txn.Spelled[ratchet.PublicKey],
}

func toldKind() Kind { return Kind{Records: many(&ToldNoOlm), Sweep: sweepTold} }

// toldMemory is how long it is remembered.
const toldMemory = 365 * 24 * time.Hour

// TellNoOlm notes that a device is told, and returns whether it was before. Where
// that cannot be read it is not told again.
func TellNoOlm(tx *txn.Tx, device ratchet.PublicKey, at time.Time) (told bool, err error) {
	_, told, err = ToldNoOlm.Get(tx, device)
	switch {
	case machine.IsDamage(err) && !machine.IsSetAside(err):
		return true, nil
	case err != nil && !machine.IsSetAside(err) || told:
		return told, err
	}
	return false, ToldNoOlm.Put(tx, Told{device, at})
}

// ForgetTold notes that there is a session with the device.
func ForgetTold(tx *txn.Tx, device ratchet.PublicKey) error {
	_, told, err := ToldNoOlm.Get(tx, device)
	if machine.IsSetAside(err) {
		return nil
	}
	if !told && !machine.IsDamage(err) {
		return err
	}
	return ToldNoOlm.Delete(tx, device)
}

// sweepTold forgets what is long ago, or was told by a clock that was wrong: a
// device is told once more.
func sweepTold(ctx context.Context, s *Sweep) error {
	old := func(_ *txn.Tx, t Told) (bool, error) { return s.Now.Sub(t.At).Abs() >= toldMemory, nil }
	_, err := machine.Delete(&ToldNoOlm, machine.Share{Bytes: 256, Writes: 1, Checks: 1}, &s.Damaged, old).All(ctx, s.Account)
	return err
}

const toldFields = 2

// Encode returns the record.
func (t Told) Encode() ([]byte, error) {
	return frame.Encode(memberVersion, toldFields, 48, func(w *frame.Writer) {
		w.Bytes(t.Device[:])
		w.Time(t.At)
	}), nil
}

func decodeTold(b []byte) (t Told, err error) {
	err = frame.Decode("told-no-olm", b, memberVersion, toldFields, func(in *frame.Reader) {
		in.Fixed(t.Device[:])
		t.At = in.Time()
	})
	return t, err
}
