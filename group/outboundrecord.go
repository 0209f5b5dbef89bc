package group

import (
	"errors"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/otk"
)

// ErrSettings: a visibility or strategy that does not exist.
var ErrSettings = errors.New("group: settings have an unknown visibility or strategy")

const (
	outboundVersion = 2
	outboundFields  = 13
	outboundSize    = 96 // beside room and sender
)

// Encode returns the record: at most 580 bytes, and 365 in a room with an id of 40.
// It fails with [ErrNoKey] for the zero Outbound.
func (o Outbound) Encode() ([]byte, error) {
	if o.sender.IsZero() {
		return nil, ErrNoKey
	}
	var err error
	out := record.Encode(outboundVersion, outboundFields, outboundSize+len(o.room)+senderSize, func(w *record.Writer) {
		w.Text(string(o.room))
		err = w.Nested(senderSize, o.sender.AppendBinary)
		w.Uint(uint64(o.settings.Messages))
		w.Uint(uint64(o.settings.Age.Milliseconds()))
		w.Uint(uint64(o.settings.Visibility))
		w.Uint(uint64(o.settings.Strategy))
		w.Bool(o.shared)
		w.Time(o.begun.Time)
		w.Order(o.begun.Order)
		w.Time(o.lastSent)
		w.Uint(uint64(o.keysFrom))
		w.Time(o.retired)
		w.Uint(uint64(o.why))
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DecodeOutbound reads a record written by [Outbound.Encode]. It fails with
// [ErrFormat] or [ErrNewer].
func DecodeOutbound(b []byte) (Outbound, error) {
	var o Outbound
	err := record.Decode("group-out", b, outboundVersion, outboundFields, func(r *record.Reader) {
		o.room = readRoom(r)
		var err error
		if bytes := r.Bytes(senderSize); r.OK() {
			o.sender, err = DecodeSender(bytes)
			r.FailWith(err)
		}
		o.settings = readSettings(r)
		o.shared = r.Bool()
		o.begun.Time = r.Time()
		o.begun.Order = r.Order()
		o.lastSent = r.Time()
		o.keysFrom = otk.ID(r.Uint(1<<32 - 1))
		o.retired = r.Time()
		o.why = Why(r.Uint(uint64(Recovered)))
		r.Check((o.why == Kept) == o.retired.IsZero(), "retired without a reason, or not")
	})
	if err != nil {
		return Outbound{}, err
	}
	return o, nil
}

func readSettings(r *record.Reader) (s Settings) {
	s.Messages = int(r.Uint(MaxMessages))
	s.Age = time.Duration(r.Uint(uint64(MaxAge.Milliseconds()))) * time.Millisecond
	s.Visibility = Visibility(r.Uint(uint64(WorldReadable)))
	s.Strategy = Strategy(r.Uint(uint64(ByCaller)))
	r.Check(s == s.Clamped() && s.valid(), "settings")
	return s
}
