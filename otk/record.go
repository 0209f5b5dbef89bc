package otk

import (
	"github.com/pawlkv/pawl/internal/record"
)

const (
	poolVersion = 1
	poolFields  = 3

	entryFields    = 3  // written flat, without a header of their own
	entrySize      = 41 // bytes of an encoded entry, at most
	fallbackFields = 4
)

// Encode returns the record.
func (p Pool) Encode() ([]byte, error) {
	size := 128 + entrySize*len(p.entries)
	return record.Encode(poolVersion, poolFields, size, func(w *record.Writer) {
		w.Uint(uint64(p.last))
		w.Count(entryFields * len(p.entries))
		for _, e := range p.entries {
			w.Uint(uint64(e.ID))
			w.Bytes(e.Public[:])
			w.Uint(uint64(e.Stage))
		}
		fallbacks := p.fallbacks()
		w.Count(fallbackFields * len(fallbacks))
		for _, f := range fallbacks {
			w.Uint(uint64(f.ID))
			w.Bytes(f.Public[:])
			w.Time(f.Created)
			w.Bool(f.Published)
		}
	}), nil
}

// fallbacks returns the fallback keys that there are, the current one first.
func (p Pool) fallbacks() []Fallback {
	switch {
	case p.current.ID == 0:
		return nil
	case p.previous.ID == 0:
		return []Fallback{p.current}
	}
	return []Fallback{p.current, p.previous}
}

// DecodePool reads a record written by [Pool.Encode]. It fails with
// [ErrFormat] or [ErrVersion].
func DecodePool(b []byte) (Pool, error) {
	var p Pool
	err := record.Decode("one-time key pool", b, poolVersion, poolFields, func(r *record.Reader) {
		p.last = ID(r.Uint(1<<32 - 1))
		p.readEntries(r)
		p.readFallbacks(r)
	})
	if err != nil {
		return Pool{}, err
	}
	return p, nil
}

func (p *Pool) readEntries(r *record.Reader) {
	n := r.Count(entryFields * MaxKeys)
	r.Check(n%entryFields == 0, "count")
	if n == 0 || !r.OK() {
		return
	}
	p.entries = make([]Entry, n/entryFields)
	before := ID(0)
	for i := range p.entries {
		e := &p.entries[i]
		e.ID = ID(r.Uint(1<<32 - 1))
		r.Fixed(e.Public[:])
		e.Stage = Stage(r.Uint(uint64(Abandoned)))
		r.Check(e.ID > before && e.ID <= p.last && e.Stage >= Generated, "entry out of order")
		if !r.OK() {
			return
		}
		before = e.ID
	}
}

func (p *Pool) readFallbacks(r *record.Reader) {
	n := r.Count(2 * fallbackFields)
	r.Check(n%fallbackFields == 0, "count")
	// The previous key is the older one, so ids fall.
	limit := p.last
	for i := 0; i < n/fallbackFields && r.OK(); i++ {
		var f Fallback
		f.ID = ID(r.Uint(1<<32 - 1))
		r.Fixed(f.Public[:])
		f.Created = r.Time()
		f.Published = r.Bool()
		r.Check(f.ID != 0 && f.ID <= limit, "fallback key out of order")
		limit = f.ID - 1
		if i == 0 {
			p.current = f
		} else {
			p.previous = f
		}
	}
}
