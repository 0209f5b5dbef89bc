package device

import (
	"fmt"
	"math"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
)

const (
	trackingFields     = 12
	waitingFields      = 2
	epochFields        = 2
	ownSignatureFields = 2
)

// Encode returns the record of the tracking. It fails with [ErrFormat] for what no
// method makes.
func (t Tracking) Encode() ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	return record.Encode(version, trackingFields, size, func(w *record.Writer) {
		w.Text(string(t.User))
		w.Time(t.Left)
		w.Uint(t.Changes)
		w.Uint(t.Covered)
		w.Order(t.Epoch)
		if t.Query == (Query{}) {
			w.Bytes(nil)
		} else {
			w.Bytes(t.Query[:])
		}
		w.Uint(t.Asked)
		w.Uint(uint64(t.Failures))
		w.Time(t.NextTry)
		w.Uint(uint64(t.Refusals))
		w.Uint(uint64(t.RefusedCount))
		w.Count(2 * len(t.Refused))
		for _, r := range t.Refused {
			w.Text(string(r.Device))
			w.Uint(uint64(r.Reason))
		}
	}), nil
}

func (t Tracking) check() error {
	switch {
	case t.User.Check() != nil:
		return fmt.Errorf("device: %w: no user", ErrFormat)
	case t.Changes == 0 || t.Covered > t.Changes || t.Asked > t.Changes || (t.Asked == 0) != (t.Query == Query{}):
		return fmt.Errorf("device: %w: %d changes, %d covered, %d asked for", ErrFormat, t.Changes, t.Covered, t.Asked)
	case len(t.Refused) != min(t.RefusedCount, MaxRejected):
		return fmt.Errorf("device: %w: %d of %d refusals", ErrFormat, len(t.Refused), t.RefusedCount)
	}
	return nil
}

// DecodeTracking reads a record of [Tracking.Encode]. Errors: [ErrFormat],
// [ErrVersion].
func DecodeTracking(b []byte) (t Tracking, err error) {
	err = record.Decode("user", b, version, trackingFields, func(r *record.Reader) {
		t.User = matrix.UserID(r.Text(matrix.MaxLength))
		t.Left = r.Time()
		t.Changes, t.Covered = r.Uint(math.MaxUint64), r.Uint(math.MaxUint64)
		t.Epoch = r.Order()
		query := r.Bytes(len(t.Query))
		r.Check(len(query) == 0 || len(query) == len(t.Query), "length of a query's id")
		copy(t.Query[:], query)
		r.Check(len(query) == 0 || t.Query != (Query{}), "query of zeros")
		t.Asked = r.Uint(math.MaxUint64)
		t.Failures = int(r.Uint(maxFailures))
		t.NextTry = r.Time()
		t.Refusals = int(r.Uint(maxRefusals))
		t.RefusedCount = int(r.Uint(math.MaxInt32))
		fields := r.Count(2 * MaxRejected)
		r.Check(fields%2 == 0, "refusals")
		for i := 0; i < fields && r.OK(); i += 2 {
			j := Rejected{matrix.DeviceID(r.Text(matrix.MaxLength)), Reason(r.Uint(uint64(reasons) - 1))}
			r.Check(j.Reason != 0, "reason")
			t.Refused = append(t.Refused, j)
		}
		if r.OK() {
			r.FailWith(t.check())
		}
	})
	if err != nil {
		return Tracking{}, err
	}
	return t, nil
}

// Encode returns the record of who waits.
func (w Waiting) Encode() ([]byte, error) {
	if w.User.Check() != nil {
		return nil, fmt.Errorf("device: %w: no user", ErrFormat)
	}
	return record.Encode(version, waitingFields, size, func(out *record.Writer) {
		out.Text(string(w.User))
		out.Time(w.NextTry)
	}), nil
}

// DecodeWaiting reads a record of [Waiting.Encode]. Errors: [ErrFormat],
// [ErrVersion].
func DecodeWaiting(b []byte) (w Waiting, err error) {
	err = record.Decode("outdated user", b, version, waitingFields, func(r *record.Reader) {
		w.User = matrix.UserID(r.Text(matrix.MaxLength))
		w.NextTry = r.Time()
		if r.OK() {
			r.FailWith(w.User.Check())
		}
	})
	if err != nil {
		return Waiting{}, err
	}
	return w, nil
}

// Encode returns the record of the epoch.
func (e Epoch) Encode() ([]byte, error) {
	if e.Listed > e.All {
		return nil, fmt.Errorf("device: %w: listed before they were outdated", ErrFormat)
	}
	return record.Encode(version, epochFields, size, func(w *record.Writer) {
		w.Order(e.All)
		w.Order(e.Listed)
	}), nil
}

// DecodeEpoch reads a record of [Epoch.Encode]. Errors: [ErrFormat], [ErrVersion].
func DecodeEpoch(b []byte) (e Epoch, err error) {
	err = record.Decode("tracking", b, version, epochFields, func(r *record.Reader) {
		e.All, e.Listed = r.Order(), r.Order()
		r.Check(e.Listed <= e.All, "order")
	})
	if err != nil {
		return Epoch{}, err
	}
	return e, nil
}

// Encode returns the record of the signature.
func (s OwnSignature) Encode() ([]byte, error) {
	if s.By == (account.VerifyKey{}) {
		return nil, fmt.Errorf("device: %w: no key", ErrFormat)
	}
	return record.Encode(version, ownSignatureFields, size, func(w *record.Writer) {
		w.Bytes(s.By[:])
		w.Bytes(s.Signature[:])
	}), nil
}

// DecodeOwnSignature reads a record of [OwnSignature.Encode]. Errors: [ErrFormat],
// [ErrVersion].
func DecodeOwnSignature(b []byte) (s OwnSignature, err error) {
	err = record.Decode("own signature", b, version, ownSignatureFields, func(r *record.Reader) {
		r.Fixed(s.By[:])
		r.Fixed(s.Signature[:])
		r.Check(!r.OK() || s.By != (account.VerifyKey{}), "key of zeros")
	})
	if err != nil {
		return OwnSignature{}, err
	}
	return s, nil
}
