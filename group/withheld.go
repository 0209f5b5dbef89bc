package group

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// Code is why a key is withheld, as m.room_key.withheld names it.
type Code string

// The codes of the specification. Others may come.
const (
	Blacklisted      Code = "m.blacklisted"
	Unverified       Code = "m.unverified"
	Unauthorised     Code = "m.unauthorised"
	Unavailable      Code = "m.unavailable"
	NoOlm            Code = "m.no_olm"
	HistoryNotShared Code = "m.history_not_shared"
)

// Lengths of what a notice may say, in bytes. A longer reason is cut.
const (
	MaxCode   = 64
	MaxReason = 255
)

// Withheld is a notice that somebody does not give us a key (record
// withheld/<session id>/<user id>). Nobody signs it: it may explain why a key is
// missing, and never replaces or removes one.
type Withheld struct {
	Room    matrix.RoomID
	Session SessionID
	Sender  ratchet.PublicKey // whose session it is, as the notice claims
	From    matrix.UserID     // who sent the notice, as the server says
	Code    Code
	Reason  string
	At      time.Time
}

// ErrNotice: a notice without a code, or with one that is too long.
var ErrNotice = errors.New("group: withheld notice has no code, or one that is too long")

// NewWithheld returns the record of a notice, or fails with [ErrNotice] or an error
// of package matrix.
func NewWithheld(w Withheld) (Withheld, error) {
	w.At = record.Time(w.At)
	w.Reason = Cut(w.Reason, MaxReason)
	return w, w.check()
}

// Cut returns the first bytes of a text, without half a character.
func Cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func (w Withheld) check() error {
	for _, err := range []error{w.Room.Check(), w.From.Check()} {
		if err != nil {
			return err
		}
	}
	if w.Code == "" || len(w.Code) > MaxCode || len(w.Reason) > MaxReason || !utf8.ValidString(string(w.Code)+w.Reason) {
		return ErrNotice
	}
	return nil
}

// WithheldError is [ErrNoKey] or [ErrTooEarly] of a message whose key somebody said
// that they withhold.
type WithheldError struct {
	Code   Code
	Reason string
	Err    error
}

// Error implements error.
func (e *WithheldError) Error() string {
	return fmt.Sprintf("%v: withheld: %.64q", e.Err, string(e.Code))
}

// Unwrap returns the error without the notice.
func (e *WithheldError) Unwrap() error { return e.Err }

// Explain returns the error of a message with the notice where that may explain it:
// for a key that is missing, or does not reach back to the message. Every other
// error, and none, is returned as it is.
func (w Withheld) Explain(err error) error {
	if errors.Is(err, ErrNoKey) || errors.Is(err, ErrTooEarly) {
		return &WithheldError{Code: w.Code, Reason: w.Reason, Err: err}
	}
	return err
}

const (
	withheldVersion = 2
	withheldFields  = 7
	withheldSize    = 128 // beside room, user and reason
)

// Encode returns the record, or fails as [NewWithheld] does.
func (w Withheld) Encode() ([]byte, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	size := withheldSize + len(w.Room) + len(w.From) + len(w.Reason)
	return record.Encode(withheldVersion, withheldFields, size, func(out *record.Writer) {
		out.Text(string(w.Room))
		out.Bytes(w.Session[:])
		out.Bytes(w.Sender[:])
		out.Text(string(w.From))
		out.Text(string(w.Code))
		out.Text(w.Reason)
		out.Time(w.At)
	}), nil
}

// DecodeWithheld reads a record written by [Withheld.Encode]. It fails with
// [ErrFormat] or [ErrNewer].
func DecodeWithheld(b []byte) (Withheld, error) {
	var w Withheld
	err := record.Decode("withheld", b, withheldVersion, withheldFields, func(r *record.Reader) {
		w.Room = readRoom(r)
		r.Fixed(w.Session[:])
		r.Fixed(w.Sender[:])
		w.From = matrix.UserID(r.Text(matrix.MaxLength))
		w.Code = Code(r.Text(MaxCode))
		w.Reason = r.Text(MaxReason)
		w.At = r.Time()
		if r.OK() {
			r.FailWith(w.check())
		}
	})
	if err != nil {
		return Withheld{}, err
	}
	return w, nil
}
