package group

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// Share is what one device was told of a session of ours (record
// group-shared/<room>/<session id>/<user>/<device>): that it was given the key, or
// why not. A device with another Curve25519 key than the record's has not been told
// anything, whatever its id.
type Share struct {
	Room    matrix.RoomID
	Session SessionID
	User    matrix.UserID
	Device  matrix.DeviceID
	Key     ratchet.PublicKey // the device's Curve25519 key
	Outcome Outcome
	Index   uint32            // that the device was given the key at, if Given
	Over    ratchet.SessionID // the Olm session that it went over, if Given
	Code    Code              // why the key is withheld, if NotGiven
	At      record.Moment
}

// Outcome is what came of sharing a key with a device.
type Outcome uint8

const (
	// Given: the device was sent the key.
	Given Outcome = 1
	// NotGiven: the device was sent a notice, or is not to have the key.
	NotGiven Outcome = 2
	// NotReached: its keys could not be had. It is tried again.
	NotReached Outcome = 3
	// NotTaken: the server refused the request that carried the key, which may have
	// arrived all the same. It is tried again.
	NotTaken Outcome = 4
)

// Has reports that a device of this outcome may have the key.
func (o Outcome) Has() bool { return o == Given || o == NotTaken }

// ErrShare: a share that says two things, or names nobody.
var ErrShare = errors.New("group: share is not of one outcome")

// check refuses what no sharing comes to.
func (s Share) check() error {
	for _, err := range []error{s.Room.Check(), s.User.Check(), s.Device.Check()} {
		if err != nil {
			return err
		}
	}
	given := s.Index != 0 || s.Over != ratchet.SessionID{}
	switch {
	case s.Outcome == Given && s.Over == ratchet.SessionID{}:
		return fmt.Errorf("%w: given over no session", ErrShare)
	case s.Outcome != Given && given:
		return fmt.Errorf("%w: an index, and not given", ErrShare)
	case (s.Outcome == NotGiven) != (s.Code != ""):
		return fmt.Errorf("%w: a code, and not withheld, or the other way about", ErrShare)
	case s.Outcome < Given || s.Outcome > NotTaken || len(s.Code) > MaxCode:
		return fmt.Errorf("%w: outcome or code", ErrShare)
	}
	return nil
}

const (
	shareVersion = 2
	shareFields  = 11
	shareSize    = 160 // beside the ids
)

// Encode returns the record, or fails with [ErrShare] or an error of package
// matrix.
func (s Share) Encode() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	size := shareSize + len(s.Room) + len(s.User) + len(s.Device)
	return record.Encode(shareVersion, shareFields, size, func(w *record.Writer) {
		w.Text(string(s.Room))
		w.Bytes(s.Session[:])
		w.Text(string(s.User))
		w.Text(string(s.Device))
		w.Bytes(s.Key[:])
		w.Uint(uint64(s.Outcome))
		w.Uint(uint64(s.Index))
		writeKnown(w, s.Over)
		w.Text(string(s.Code))
		w.Time(s.At.Time)
		w.Order(s.At.Order)
	}), nil
}

// DecodeShare reads a record written by [Share.Encode]. It fails with [ErrFormat]
// or [ErrNewer].
func DecodeShare(b []byte) (Share, error) {
	var s Share
	err := record.Decode("group-shared", b, shareVersion, shareFields, func(r *record.Reader) {
		s.Room = readRoom(r)
		r.Fixed(s.Session[:])
		s.User = matrix.UserID(r.Text(matrix.MaxLength))
		s.Device = matrix.DeviceID(r.Text(matrix.MaxLength))
		r.Fixed(s.Key[:])
		s.Outcome = Outcome(r.Uint(uint64(NotTaken)))
		s.Index = uint32(r.Uint(maxIndex))
		s.Over = readKnown[ratchet.SessionID](r)
		s.Code = Code(r.Text(MaxCode))
		s.At.Time = r.Time()
		s.At.Order = r.Order()
		if r.OK() {
			r.FailWith(s.check())
		}
	})
	if err != nil {
		return Share{}, err
	}
	return s, nil
}
