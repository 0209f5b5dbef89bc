package records

import (
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/otk"
)

// Encode returns the record.
func (u Uploads) Encode() ([]byte, error) {
	size := 128 + 5*len(u.Under.OneTimeKeys) + 16*len(u.Doubts)
	return frame.Encode(uploadsVersion, uploadsFields, size, func(w *frame.Writer) {
		w.Bool(u.Published)
		w.Uint(uint64(u.Look))
		w.Time(u.Looked)
		w.Bytes(u.Lookup[:])
		w.Bytes(u.Under.Request[:])
		w.Bool(u.Under.DeviceKeys)
		w.Count(len(u.Under.OneTimeKeys))
		for _, id := range u.Under.OneTimeKeys {
			w.Uint(uint64(id))
		}
		w.Uint(uint64(u.Under.Fallback))
		w.Uint(u.Ended)
		w.Bool(u.Counted)
		w.Uint(uint64(u.Count))
		w.Uint(uint64(u.Retry))
		w.Uint(uint64(u.Used))
		w.Uint(uint64(u.Most))
		w.Uint(uint64(u.Refused))
		w.Uint(uint64(u.Unsure))
		w.Time(u.Pause.Since)
		w.Time(u.Pause.Until)
		w.Time(u.Reported)
		w.Count(2 * len(u.Doubts))
		for _, d := range u.Doubts {
			w.Uint(uint64(d.Key))
			w.Time(d.Since)
		}
	}), nil
}

func decodeUploads(b []byte) (u Uploads, err error) {
	err = frame.Decode("uploads", b, uploadsVersion, uploadsFields, func(r *frame.Reader) {
		u.Published = r.Bool()
		u.Look = Look(r.Uint(uint64(Taken)))
		u.Looked = r.Time()
		r.Fixed(u.Lookup[:])
		u.Under.read(r)
		u.Ended = r.Uint(1<<64 - 1)
		u.Counted = r.Bool()
		u.Count = int(r.Uint(MaxCount))
		u.Retry = int(r.Uint(UploadedKeys))
		u.Used = otk.ID(r.Uint(1<<32 - 1))
		u.Most = int(r.Uint(UploadedKeys))
		u.Refused, u.Unsure = uint32(r.Uint(1<<32-1)), uint32(r.Uint(1<<32-1))
		u.Pause = Period{r.Time(), r.Time()}
		u.Reported = r.Time()
		u.readDoubts(r)
		r.Check(u.Counted || u.Count == 0, "count of nobody")
	})
	return u, err
}

func (u *UploadUnderWay) read(r *frame.Reader) {
	r.Fixed(u.Request[:])
	u.DeviceKeys = r.Bool()
	before := otk.ID(0)
	for range r.Count(UploadedKeys) {
		id := otk.ID(r.Uint(1<<32 - 1))
		r.Check(id > before, "key out of order")
		u.OneTimeKeys = append(u.OneTimeKeys, id)
		before = id
	}
	u.Fallback = otk.ID(r.Uint(1<<32 - 1))
	none := u.Request == RequestID{}
	r.Check(!none || !u.DeviceKeys && len(u.OneTimeKeys) == 0 && u.Fallback == 0, "keys in no upload")
}

func (u *Uploads) readDoubts(r *frame.Reader) {
	n := r.Count(2 * maxDoubts)
	r.Check(n%2 == 0, "count")
	for i := 0; i < n/2 && r.OK(); i++ {
		d := Doubt{otk.ID(r.Uint(1<<32 - 1)), r.Time()}
		r.Check(d.Key != 0, "doubt")
		u.Doubts = append(u.Doubts, d)
	}
}
