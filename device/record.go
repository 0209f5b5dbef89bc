package device

import (
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
)

// The records of this package are of format 2, as the stores that have them.
const (
	version        = 2
	deviceFields   = 11
	identityFields = 8
	ownerFields    = 3
	size           = 256 // bytes of a record, about
)

// Encode returns the record of the device. It fails with [ErrFormat] for one
// without names.
func (d Device) Encode() ([]byte, error) {
	if err := d.Name.check(); err != nil {
		return nil, err
	}
	return record.Encode(version, deviceFields, size, func(w *record.Writer) {
		d.Name.write(w)
		w.Bytes(d.Curve25519[:])
		w.Bytes(d.Ed25519[:])
		w.Bool(d.Olm)
		w.Bool(d.Megolm)
		w.Text(d.DisplayName)
		writeKey(w, d.SignedBy)
		w.Time(d.Seen)
		w.Time(d.Gone)
		w.Bool(d.Disputed)
	}), nil
}

// DecodeDevice reads a record of [Device.Encode]. Errors: [ErrFormat],
// [ErrVersion].
func DecodeDevice(b []byte) (d Device, err error) {
	err = record.Decode("device", b, version, deviceFields, func(r *record.Reader) {
		d.Name.read(r)
		r.Fixed(d.Curve25519[:])
		r.Fixed(d.Ed25519[:])
		d.Olm, d.Megolm = r.Bool(), r.Bool()
		d.DisplayName = r.Text(maxDisplayName)
		d.SignedBy = readKey(r)
		d.Seen, d.Gone = r.Time(), r.Time()
		d.Disputed = r.Bool()
	})
	if err != nil {
		return Device{}, err
	}
	return d, nil
}

// Encode returns the record of the identity.
func (k Known) Encode() ([]byte, error) {
	if err := k.User.Check(); err != nil || k.IsZero() {
		return nil, fmt.Errorf("device: %w: no identity", ErrFormat)
	}
	return record.Encode(version, identityFields, size, func(w *record.Writer) {
		w.Text(string(k.User))
		w.Bytes(k.Master[:])
		writeKey(w, k.SelfSigning)
		writeKey(w, k.UserSigning)
		writeKey(w, k.VouchedBy)
		w.Bool(k.SignedHere)
		w.Bytes(k.Pinned[:])
		writeKey(w, k.Verified)
	}), nil
}

// DecodeKnown reads a record of [Known.Encode]. Errors: [ErrFormat], [ErrVersion].
func DecodeKnown(b []byte) (k Known, err error) {
	err = record.Decode("identity", b, version, identityFields, func(r *record.Reader) {
		k.User = matrix.UserID(r.Text(matrix.MaxLength))
		r.Fixed(k.Master[:])
		k.SelfSigning, k.UserSigning, k.VouchedBy = readKey(r), readKey(r), readKey(r)
		k.SignedHere = r.Bool()
		r.Fixed(k.Pinned[:])
		k.Verified = readKey(r)
		if r.OK() {
			r.FailWith(k.User.Check())
			r.Check(!k.IsZero() && k.Pinned != (account.VerifyKey{}), "master key")
		}
	})
	if err != nil {
		return Known{}, err
	}
	return k, nil
}

// Encode returns the record of whose a key is.
func (o Owner) Encode() ([]byte, error) {
	if len(o.Claimers) == 0 || len(o.Claimers) > MaxClaimers || len(o.Claimers) > 1 && !o.Open {
		return nil, fmt.Errorf("device: %w: a key of %d devices", ErrFormat, len(o.Claimers))
	}
	for _, n := range o.Claimers {
		if err := n.check(); err != nil {
			return nil, err
		}
	}
	return record.Encode(version, ownerFields, size, func(w *record.Writer) {
		w.Bytes(o.Key[:])
		w.Bool(o.Open)
		w.Count(2 * len(o.Claimers))
		for _, n := range o.Claimers {
			n.write(w)
		}
	}), nil
}

// DecodeOwner reads a record of [Owner.Encode]. Errors: [ErrFormat], [ErrVersion].
func DecodeOwner(b []byte) (o Owner, err error) {
	err = record.Decode("owner of a key", b, version, ownerFields, func(r *record.Reader) {
		r.Fixed(o.Key[:])
		o.Open = r.Bool()
		fields := r.Count(2 * MaxClaimers)
		r.Check(fields%2 == 0 && fields > 0 && (fields == 2 || o.Open), "claimers")
		for i := 0; i < fields && r.OK(); i += 2 {
			var n Name
			n.read(r)
			o.Claimers = append(o.Claimers, n)
		}
	})
	if err != nil {
		return Owner{}, err
	}
	return o, nil
}

func (n Name) check() error {
	if n.User.Check() != nil || n.Device.Check() != nil {
		return fmt.Errorf("device: %w: no name", ErrFormat)
	}
	return nil
}

func (n Name) write(w *record.Writer) {
	w.Text(string(n.User))
	w.Text(string(n.Device))
}

func (n *Name) read(r *record.Reader) {
	n.User, n.Device = matrix.UserID(r.Text(matrix.MaxLength)), matrix.DeviceID(r.Text(matrix.MaxLength))
	if r.OK() {
		r.FailWith(n.User.Check())
		r.FailWith(n.Device.Check())
	}
}

// writeKey writes a key that may be missing: no bytes then.
func writeKey(w *record.Writer, k account.VerifyKey) {
	if k == (account.VerifyKey{}) {
		w.Bytes(nil)
		return
	}
	w.Bytes(k[:])
}

func readKey(r *record.Reader) (k account.VerifyKey) {
	b := r.Bytes(len(k))
	if len(b) == 0 {
		return k
	}
	r.Check(len(b) == len(k), "length of a key")
	copy(k[:], b)
	r.Check(!r.OK() || k != (account.VerifyKey{}), "key of zeros")
	return k
}
