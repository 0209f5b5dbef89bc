package records

import (
	frame "github.com/pawlkv/pawl/internal/record"
)

// Encode returns the record.
func (r Request) Encode() ([]byte, error) {
	size := 128 + len(r.EventType) + 20*len(r.After)
	return frame.Encode(requestVersion, requestFields, size, func(w *frame.Writer) {
		w.Bytes(r.ID[:])
		w.Uint(uint64(r.Kind))
		w.Text(r.EventType)
		w.Bool(r.Once)
		w.Time(r.Made.Time)
		w.Order(r.Made.Order)
		w.Count(len(r.After))
		for _, id := range r.After {
			w.Bytes(id[:])
		}
		w.Uint(uint64(r.Handed))
		w.Bool(r.Reopened)
		w.Bytes(r.Holder[:])
		w.Time(r.Lease.Since)
		w.Time(r.Lease.Until)
		w.Uint(uint64(r.Failures))
		w.Time(r.Pause.Since)
		w.Time(r.Pause.Until)
	}), nil
}

func decodeRequest(b []byte) (r Request, err error) {
	err = frame.Decode("request", b, requestVersion, requestFields, func(d *frame.Reader) {
		d.Fixed(r.ID[:])
		r.Kind = RequestKind(d.Uint(255)) // what a newer program makes is none that this one hands out
		r.EventType = d.Text(maxEventType)
		r.Once = d.Bool()
		r.Made.Time, r.Made.Order = d.Time(), d.Order()
		for range d.Count(MaxAfter) {
			var id RequestID
			d.Fixed(id[:])
			r.After = append(r.After, id)
		}
		r.Handed = uint32(d.Uint(1<<32 - 1))
		r.Reopened = d.Bool()
		d.Fixed(r.Holder[:])
		r.Lease = Period{d.Time(), d.Time()}
		r.Failures = uint32(d.Uint(1<<32 - 1))
		r.Pause = Period{d.Time(), d.Time()}
		d.Check(r.Kind != 0 && r.Made.Order != 0, "kind or order")
		d.Check((r.Handed == 0) == (r.Holder == HolderID{}), "handed out to nobody")
		d.Check(r.Handed > 0 || !r.Reopened && r.Lease == Period{}, "lease of what was not handed out")
	})
	return r, err
}

// Encode returns the record.
func (b RequestBody) Encode() ([]byte, error) {
	return frame.Encode(requestVersion, requestBodyFields, 40+len(b.Body)+len(b.Data), func(w *frame.Writer) {
		w.Bytes(b.ID[:])
		w.Bytes(b.Body)
		w.Bytes(b.Data)
	}), nil
}

func decodeRequestBody(in []byte) (b RequestBody, err error) {
	err = frame.Decode("request body", in, requestVersion, requestBodyFields, func(d *frame.Reader) {
		d.Fixed(b.ID[:])
		b.Body, b.Data = d.Bytes(MaxRequestBody), d.Bytes(MaxRequestData) // of in, which is ours
	})
	return b, err
}
