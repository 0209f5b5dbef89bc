package records

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// KeyRequest is a request of ours for a room key that is open at own devices.
type KeyRequest struct {
	Session group.SessionID
	Room    matrix.RoomID
	ID      KeyRequestID
	Asked   []matrix.DeviceID // own devices, the newest last
	Sent    RequestID         // what asks them now; it may be answered
	At      time.Time         // when somebody asked for the key last
}

// KeyRequestID is the request_id of a request for a room key.
type KeyRequestID [16]byte

// String returns the id in hexadecimal, as events carry it.
func (id KeyRequestID) String() string { return hex.EncodeToString(id[:]) }

const (
	// MaxKeyRequestDevices bounds the own devices that are asked for a room key.
	MaxKeyRequestDevices = 50
	// KeyRequestLife is how long an answer is waited for.
	KeyRequestLife = 2 * 7 * 24 * time.Hour
)

// KeyRequests: key-request/<session id>.
var KeyRequests = txn.Record[group.SessionID, KeyRequest]{
	Kind: "key-request", Codec: machine.Encoded[KeyRequest]{Read: decodeKeyRequest},
	Name: func(r KeyRequest) group.SessionID { return r.Session }, Path: txn.Spelled[group.SessionID],
}

func keyRequestKind() Kind { return Kind{Records: many(&KeyRequests), Sweep: sweepKeyRequests} }

var keyRequestShare = machine.Share{Bytes: 16 << 10, Writes: 1, Checks: 1}

// sweepKeyRequests gives up requests that nobody answered, and those of a clock that
// was wrong.
func sweepKeyRequests(ctx context.Context, s *Sweep) error {
	old := func(_ *txn.Tx, r KeyRequest) (bool, error) { return s.Now.Sub(r.At).Abs() >= KeyRequestLife, nil }
	_, err := machine.Delete(&KeyRequests, keyRequestShare, &s.Damaged, old).All(ctx, s.Account)
	return err
}

// ReadKeyRequest reads the request for a session that is open; ok is false if there
// is none. One that is damaged is none: it is made anew, under another id.
func ReadKeyRequest(tx *txn.Tx, a *machine.Account, id group.SessionID) (r KeyRequest, ok bool, err error) {
	r, ok, err = KeyRequests.Get(tx, id)
	if machine.IsDamage(err) {
		a.Store.Tell(tx, []error{err})
	}
	if machine.IsDamage(err) || machine.IsSetAside(err) {
		return KeyRequest{}, false, nil
	}
	return r, ok, err
}

const (
	keyRequestVersion = 2
	keyRequestFields  = 6
)

// Encode returns the record.
func (r KeyRequest) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	return record.Encode(keyRequestVersion, keyRequestFields, 128+len(r.Room)+16*len(r.Asked), func(w *record.Writer) {
		w.Bytes(r.Session[:])
		w.Text(string(r.Room))
		w.Bytes(r.ID[:])
		w.Count(len(r.Asked))
		for _, d := range r.Asked {
			w.Text(string(d))
		}
		w.Bytes(r.Sent[:])
		w.Time(r.At)
	}), nil
}

func (r KeyRequest) check() error {
	if err := r.Room.Check(); err != nil {
		return err
	}
	if len(r.Asked) == 0 || len(r.Asked) > MaxKeyRequestDevices {
		return fmt.Errorf("%w: a key request at %d devices", record.ErrFormat, len(r.Asked))
	}
	for i, d := range r.Asked {
		if err := d.Check(); err != nil {
			return err
		}
		if slices.Contains(r.Asked[:i], d) {
			return fmt.Errorf("%w: a device is asked twice", record.ErrFormat)
		}
	}
	return nil
}

func decodeKeyRequest(b []byte) (r KeyRequest, err error) {
	err = record.Decode("key request", b, keyRequestVersion, keyRequestFields, func(in *record.Reader) {
		in.Fixed(r.Session[:])
		r.Room = matrix.RoomID(in.Text(matrix.MaxLength))
		in.Fixed(r.ID[:])
		for range in.Count(MaxKeyRequestDevices) {
			r.Asked = append(r.Asked, matrix.DeviceID(in.Text(matrix.MaxLength)))
		}
		in.Fixed(r.Sent[:])
		r.At = in.Time()
		if in.OK() {
			in.FailWith(r.check())
		}
	})
	if err != nil {
		return KeyRequest{}, err
	}
	return r, nil
}
