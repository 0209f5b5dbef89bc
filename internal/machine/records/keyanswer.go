package records

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// KeyAnswer is a room key that a device asked for and may have: it is sent as soon
// as there is a session with the device.
type KeyAnswer struct {
	To      device.Name
	Request string // the request's id, at most MaxKeyRequestID bytes
	Room    matrix.RoomID
	Session group.SessionID
	At      time.Time
}

const (
	// MaxKeyRequestID bounds the ids that others give their requests, in bytes.
	MaxKeyRequestID = 255
	// slotsOfDevice is how many answers may wait for one device: its requests have
	// their place by their id, and a later one takes that of another.
	slotsOfDevice = 64
	// KeyAnswerLife is how long an answer waits. Who still needs it asks again.
	KeyAnswerLife = 24 * time.Hour
)

// KeyAnswerName names an answer: the device, and the place of its request.
type KeyAnswerName struct {
	To   device.Name
	Slot byte
}

// SlotOf returns the name of the answer to a request.
func SlotOf(to device.Name, request string) KeyAnswerName {
	sum := sha256.Sum256([]byte(request))
	return KeyAnswerName{to, sum[0] % slotsOfDevice}
}

// KeyAnswers: key-answer/<user>/<device>/<place>.
var KeyAnswers = txn.Record[KeyAnswerName, KeyAnswer]{
	Kind: "key-answer", Codec: machine.Encoded[KeyAnswer]{Read: decodeKeyAnswer},
	Name: func(a KeyAnswer) KeyAnswerName { return SlotOf(a.To, a.Request) },
	Path: func(n KeyAnswerName) txn.Path {
		return txn.PathOf(string(n.To.User), string(n.To.Device), strconv.Itoa(int(n.Slot)))
	},
}

// KeyNotice is a notice that was sent in answer to a request for a room key that the
// sender does not get.
type KeyNotice struct {
	Slot byte
	Tag  [16]byte // of who asked for what
	Sent RequestID
	At   time.Time
}

// slotsOfNotices is how many notices wait to be sent at most, whoever asks: each has
// its place by who asked for what.
const slotsOfNotices = 128

// NoticeSlot returns the place of a notice, and the tag of who asked for what.
func NoticeSlot(to device.Name, session group.SessionID) (slot byte, tag [16]byte) {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s%d:%s", len(to.User), to.User, len(to.Device), to.Device)
	h.Write(session[:])
	sum := h.Sum(nil)
	return sum[31] % slotsOfNotices, [16]byte(sum)
}

// KeyNotices: key-notice/<place>.
var KeyNotices = txn.Record[byte, KeyNotice]{
	Kind: "key-notice", Codec: machine.Encoded[KeyNotice]{Read: decodeKeyNotice},
	Name: func(n KeyNotice) byte { return n.Slot },
	Path: func(slot byte) txn.Path { return txn.PathOf(strconv.Itoa(int(slot))) },
}

func keyAnswerKind() Kind { return Kind{Records: many(&KeyAnswers), Sweep: sweepKeyAnswers} }

func keyNoticeKind() Kind { return Kind{Records: many(&KeyNotices), Sweep: sweepKeyNotices} }

// sweepKeyAnswers gives up answers that nobody could be sent, and those of a clock
// that was wrong.
func sweepKeyAnswers(ctx context.Context, s *Sweep) error {
	old := func(_ *txn.Tx, a KeyAnswer) (bool, error) { return a.Over(s.Now), nil }
	_, err := machine.Delete(&KeyAnswers, machine.Share{Bytes: 1 << 10, Writes: 1, Checks: 1}, &s.Damaged, old).All(ctx, s.Account)
	return err
}

// Over reports that an answer is not to be sent any more.
func (a KeyAnswer) Over(now time.Time) bool { return now.Sub(a.At).Abs() >= KeyAnswerLife }

func sweepKeyNotices(ctx context.Context, s *Sweep) error {
	old := func(_ *txn.Tx, n KeyNotice) (bool, error) { return s.Now.Sub(n.At).Abs() >= KeyAnswerLife, nil }
	_, err := machine.Delete(&KeyNotices, machine.Share{Bytes: 256, Writes: 1, Checks: 1}, &s.Damaged, old).All(ctx, s.Account)
	return err
}

const (
	keyAnswerVersion = 2
	keyAnswerFields  = 6
	keyNoticeVersion = 2
	keyNoticeFields  = 4
)

// Encode returns the record.
func (a KeyAnswer) Encode() ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	size := 96 + len(a.To.User) + len(a.To.Device) + len(a.Request) + len(a.Room)
	return record.Encode(keyAnswerVersion, keyAnswerFields, size, func(w *record.Writer) {
		w.Text(string(a.To.User))
		w.Text(string(a.To.Device))
		w.Text(a.Request)
		w.Text(string(a.Room))
		w.Bytes(a.Session[:])
		w.Time(a.At)
	}), nil
}

func (a KeyAnswer) check() error {
	for _, err := range []error{a.To.User.Check(), a.To.Device.Check(), a.Room.Check()} {
		if err != nil {
			return err
		}
	}
	if len(a.Request) > MaxKeyRequestID || !utf8.ValidString(a.Request) {
		return fmt.Errorf("%w: id of a request of %d bytes", record.ErrFormat, len(a.Request))
	}
	return nil
}

func decodeKeyAnswer(b []byte) (a KeyAnswer, err error) {
	err = record.Decode("key answer", b, keyAnswerVersion, keyAnswerFields, func(in *record.Reader) {
		a.To.User, a.To.Device = matrix.UserID(in.Text(matrix.MaxLength)), matrix.DeviceID(in.Text(matrix.MaxLength))
		a.Request = in.Text(MaxKeyRequestID)
		a.Room = matrix.RoomID(in.Text(matrix.MaxLength))
		in.Fixed(a.Session[:])
		a.At = in.Time()
		if in.OK() {
			in.FailWith(a.check())
		}
	})
	if err != nil {
		return KeyAnswer{}, err
	}
	return a, nil
}

// Encode returns the record.
func (n KeyNotice) Encode() ([]byte, error) {
	return record.Encode(keyNoticeVersion, keyNoticeFields, 64, func(w *record.Writer) {
		w.Uint(uint64(n.Slot))
		w.Bytes(n.Tag[:])
		w.Bytes(n.Sent[:])
		w.Time(n.At)
	}), nil
}

func decodeKeyNotice(b []byte) (n KeyNotice, err error) {
	err = record.Decode("key notice", b, keyNoticeVersion, keyNoticeFields, func(in *record.Reader) {
		n.Slot = byte(in.Uint(slotsOfNotices - 1))
		in.Fixed(n.Tag[:])
		in.Fixed(n.Sent[:])
		n.At = in.Time()
	})
	if err != nil {
		return KeyNotice{}, err
	}
	return n, nil
}
