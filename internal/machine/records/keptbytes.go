package records

import (
	"time"

	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
)

// stamped is a moment whose time says that it was.
func stamped(at frame.Moment) frame.Moment {
	at.Time = time.UnixMilli(max(frame.Millis(at.Time), 1)).UTC()
	return at
}

// Encode returns the record.
func (r Refused) Encode() ([]byte, error) {
	return frame.Encode(keptVersion, refusedFields, 128+len(r.Sender)+len(r.Type)+len(r.Why), func(w *frame.Writer) {
		w.Uint(r.N)
		w.Time(r.At.Time)
		w.Order(r.At.Order)
		w.Text(string(r.Sender))
		w.Bytes(r.SenderKey[:])
		w.Text(r.Type)
		w.Text(r.Code)
		w.Text(r.Why)
		w.Bytes(r.Event[:])
	}), nil
}

func decodeRefused(b []byte) (v Refused, err error) {
	err = frame.Decode("refused event", b, keptVersion, refusedFields, func(r *frame.Reader) {
		v.N = r.Uint(1 << 63)
		v.At = frame.Moment{Time: r.Time(), Order: r.Order()}
		v.Sender = matrix.UserID(r.Text(matrix.MaxLength))
		r.Fixed(v.SenderKey[:])
		v.Type, v.Code, v.Why = r.Text(maxText), r.Text(maxText), r.Text(maxText)
		r.Fixed(v.Event[:])
		r.Check(!r.OK() || !v.At.Time.IsZero() && (v.Sender == "" || v.Sender.Check() == nil), "time or sender")
	})
	if err != nil {
		return Refused{}, err
	}
	return v, nil
}

// Encode returns the record.
func (u Unread) Encode() ([]byte, error) {
	return frame.Encode(keptVersion, unreadFields, 128+len(u.Sender)+len(u.Why)+len(u.Raw), func(w *frame.Writer) {
		w.Uint(u.N)
		w.Time(u.At.Time)
		w.Order(u.At.Order)
		w.Text(string(u.Sender))
		w.Bytes(u.Event[:])
		w.Bytes(u.Raw)
		w.Text(u.Why)
	}), nil
}

func decodeUnread(b []byte) (v Unread, err error) {
	err = frame.Decode("unread event", b, keptVersion, unreadFields, func(r *frame.Reader) {
		v.N = r.Uint(1 << 63)
		v.At = frame.Moment{Time: r.Time(), Order: r.Order()}
		v.Sender = matrix.UserID(r.Text(matrix.MaxLength))
		r.Fixed(v.Event[:])
		v.Raw = r.Bytes(maxUnread)
		v.Why = r.Text(maxText)
		r.Check(!r.OK() || !v.At.Time.IsZero() && (v.Sender == "" || v.Sender.Check() == nil), "time or sender")
	})
	if err != nil {
		return Unread{}, err
	}
	return v, nil
}
