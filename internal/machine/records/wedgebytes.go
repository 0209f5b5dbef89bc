package records

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
)

const (
	wedgeVersion  = 2
	wedgeVersion3 = 3
	wedgeFields   = 17
)

// Encode returns the record: in version 3 if clocks were found to differ, else in
// version 2, which programs from before read, too.
func (w Wedge) Encode() ([]byte, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	version := byte(wedgeVersion3)
	if w.isPlain() {
		version = wedgeVersion
	}
	return record.Encode(version, wedgeFields, 320+len(w.Why)+len(w.User)+96*len(w.Give), func(out *record.Writer) {
		out.Bytes(w.Key[:])
		out.Text(string(w.User))
		for _, m := range []record.Moment{w.First, w.Last, w.Begun} {
			out.Time(m.Time)
			out.Order(m.Order)
		}
		out.Text(w.Why)
		out.Time(w.Heard)
		out.Uint(uint64(w.Tries))
		if version == wedgeVersion {
			out.Time(time.Time{})
		} else {
			w.Pause.write(out)
		}
		out.Bytes(w.Claim[:])
		out.Bytes(w.Opened[:])
		out.Bytes(w.Dummy[:])
		out.Bytes(w.Again[:])
		out.Count(2 * len(w.Give))
		for _, s := range w.Give {
			out.Text(string(s.Room))
			out.Bytes(s.ID[:])
		}
	}), nil
}

// isPlain reports that no clock but that of the last try is known.
func (w Wedge) isPlain() bool {
	return w.Begun.Order == 0 || len(w.Pause) == 1 && w.Pause[0] == Clock{At: w.Begun.Time, Began: true}
}

func (w Wedge) check() error {
	if err := errors.Join(w.User.Check(), w.Pause.check()); err != nil {
		return err
	}
	wedged, tried := w.Last.Order != 0, w.Begun.Order != 0
	switch {
	case wedged != (w.First.Order != 0) || w.First.Order > w.Last.Order, !wedged && (w.Why != "" || !w.Heard.IsZero()):
		return fmt.Errorf("%w: since when the peer is wedged", record.ErrFormat)
	case !tried && (w.Tries != 0 || w.Pause != nil || w.Claim != RequestID{}), tried && w.Pause == nil, len(w.Give) > MaxGive, len(w.Why) > MaxWhy:
		return fmt.Errorf("%w: what was done about it", record.ErrFormat)
	}
	for i, s := range w.Give {
		if slices.Contains(w.Give[:i], s) {
			return fmt.Errorf("%w: a session is given twice", record.ErrFormat)
		}
		if err := s.Room.Check(); err != nil {
			return err
		}
	}
	return nil
}

func decodeWedge(b []byte) (w Wedge, err error) {
	read := func(pause func(*record.Reader)) func(*record.Reader) {
		return func(r *record.Reader) { w.read(r, pause) }
	}
	err = record.DecodeOneOf("wedge", b,
		record.Layout{Version: wedgeVersion, Count: wedgeFields, Fields: read(w.readBehind)},
		record.Layout{Version: wedgeVersion3, Count: wedgeFields, Fields: read(func(r *record.Reader) {
			w.Pause = readPause(r)
			r.Check(!w.isPlain(), "the version of a pause by one clock")
		})})
	if err != nil {
		return Wedge{}, err
	}
	return w, nil
}

// readBehind reads what version 2 has of clocks: where one stood that was behind the try.
func (w *Wedge) readBehind(r *record.Reader) {
	behind := r.Time()
	if w.Begun.Order != 0 {
		w.Pause = Pause{{At: w.Begun.Time, Began: true}}
	}
	if !behind.IsZero() {
		w.Pause = append(w.Pause, Clock{At: behind})
	}
}

func (w *Wedge) read(r *record.Reader, pause func(*record.Reader)) {
	r.Fixed(w.Key[:])
	w.User = matrix.UserID(r.Text(matrix.MaxLength))
	for _, m := range []*record.Moment{&w.First, &w.Last, &w.Begun} {
		m.Time = r.Time()
		m.Order = r.Order()
	}
	w.Why = r.Text(MaxWhy)
	w.Heard = r.Time()
	w.Tries = int(r.Uint(MaxTries))
	pause(r)
	r.Fixed(w.Claim[:])
	r.Fixed(w.Opened[:])
	r.Fixed(w.Dummy[:])
	r.Fixed(w.Again[:])
	n := r.Count(2 * MaxGive)
	r.Check(n%2 == 0, "sessions to be given")
	for ; n > 0 && r.OK(); n -= 2 {
		s := RoomSession{Room: matrix.RoomID(r.Text(matrix.MaxLength))}
		r.Fixed(s.ID[:])
		w.Give = append(w.Give, s)
	}
	if r.OK() {
		r.FailWith(w.check())
	}
}
