package rooms

import (
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/txn"
)

// Settings are what a caller asks for who shares a room key; what is zero is as the
// room's state or the specification has it.
type Settings struct {
	Algorithm  string
	Messages   int
	Age        time.Duration
	Visibility group.Visibility
	Strategy   group.Strategy
	Allow      func(Candidate) bool // of group.ByCaller
}

// Candidate is a device that may be given a key.
type Candidate struct {
	device.Device
	Trust device.Trust
}

// check returns the settings within their bounds, or roomkeys.ErrAlgorithm or
// group.ErrSettings.
func (s Settings) check() (Settings, error) {
	if s.Algorithm != "" && s.Algorithm != account.Megolm {
		return s, roomkeys.ErrAlgorithm
	}
	if s.Strategy == 0 && s.Allow != nil {
		s.Strategy = group.ByCaller
	}
	if s.Visibility > group.WorldReadable || s.Strategy > group.ByCaller || (s.Strategy == group.ByCaller) != (s.Allow != nil) {
		return s, group.ErrSettings
	}
	bounds := group.Settings{Messages: s.Messages, Age: s.Age}.Clamped()
	if s.Messages != 0 {
		s.Messages = bounds.Messages
	}
	if s.Age != 0 {
		s.Age = bounds.Age
	}
	return s, nil
}

// of returns the room as a caller asks for it.
func (s Settings) of(tx *txn.Tx, room records.Room) (records.Room, error) {
	room.Encrypted = true
	room.Asked = records.RoomRules{Messages: s.Messages, Age: s.Age, Visibility: s.Visibility}
	room.Strategy = s.Strategy
	if s.Strategy != 0 {
		return room, nil
	}
	signed, err := ownIsSigned(tx)
	if room.Strategy = group.AllDevices; signed {
		room.Strategy = group.CrossSigned
	}
	return room, err
}

// ownIsSigned reports whether the own device was ever cross-signed: a server that
// leaves the signature out later does not widen who is given keys.
func ownIsSigned(tx *txn.Tx) (bool, error) {
	_, signed, err := records.OwnSignature.Get(tx)
	if machine.IsDamage(err) || machine.IsSetAside(err) {
		return true, nil
	}
	return signed, err
}

// admits reports whether a device may have a key, and the code by which it is told
// why not.
func (s Settings) admits(strategy group.Strategy, c Candidate) (bool, group.Code) {
	switch strategy {
	case group.CrossSigned:
		return c.Trust >= device.CrossSigned, group.Unverified
	case group.Verified:
		return c.Trust >= device.Verified, group.Unverified
	case group.ByCaller:
		return s.Allow != nil && s.Allow(c), group.Blacklisted
	}
	return true, ""
}
