package otk

import (
	"github.com/pawlkv/pawl/internal/record"
)

const (
	poolVersion1 = 1
	poolVersion2 = 2
	poolFields   = 3

	// Entries are written flat, without headers of their own.
	entryFields1    = 3
	entryFields2    = 4
	entrySize       = 50 // bytes of an encoded entry, at most
	fallbackFields1 = 4
	fallbackFields2 = 7
	fallbackSize    = 88
)

// Encode returns the record: in version 2 if the pool is raised, else in version
// 1.
func (p Pool) Encode() ([]byte, error) {
	version, perEntry, perFallback := byte(poolVersion1), entryFields1, fallbackFields1
	if p.raised {
		version, perEntry, perFallback = poolVersion2, entryFields2, fallbackFields2
	}
	size := 16 + entrySize*len(p.entries) + fallbackSize*len(p.fallbacks)
	return record.Encode(version, poolFields, size, func(w *record.Writer) {
		w.Uint(uint64(p.last))
		w.Count(perEntry * len(p.entries))
		for _, e := range p.entries {
			e.write(w, p.raised)
		}
		w.Count(perFallback * len(p.fallbacks))
		for _, f := range p.fallbacks {
			f.write(w, p.raised)
		}
	}), nil
}

func (e Entry) write(w *record.Writer, raised bool) {
	w.Uint(uint64(e.ID))
	w.Bytes(e.Public[:])
	w.Uint(uint64(e.Stage))
	if raised {
		w.Time(e.InBody)
	}
}

func (f Fallback) write(w *record.Writer, raised bool) {
	w.Uint(uint64(f.ID))
	w.Bytes(f.Public[:])
	w.Time(f.Created)
	w.Bool(f.Published)
	if raised {
		w.Time(f.InBody)
		w.Time(f.Superseded)
		w.Order(f.SupersededIn)
	}
}

// DecodePool reads a record written by [Pool.Encode]. It fails with
// [ErrFormat] or [ErrVersion].
func DecodePool(b []byte) (Pool, error) {
	var p Pool
	err := record.DecodeOneOf("one-time key pool", b,
		record.Layout{Version: poolVersion1, Count: poolFields, Fields: p.read},
		record.Layout{Version: poolVersion2, Count: poolFields, Fields: func(r *record.Reader) {
			p.raised = true
			p.read(r)
		}})
	if err != nil {
		return Pool{}, err
	}
	return p, nil
}

func (p *Pool) read(r *record.Reader) {
	p.last = ID(r.Uint(1<<32 - 1))
	p.readEntries(r)
	p.readFallbacks(r)
}

func (p *Pool) readEntries(r *record.Reader) {
	each := entryFields1
	if p.raised {
		each = entryFields2
	}
	n := r.Count(each * MaxKeys)
	r.Check(n%each == 0, "count")
	if n == 0 || !r.OK() {
		return
	}
	p.entries = make([]Entry, n/each)
	before := ID(0)
	for i := range p.entries {
		e := &p.entries[i]
		e.ID = ID(r.Uint(1<<32 - 1))
		r.Fixed(e.Public[:])
		e.Stage = Stage(r.Uint(uint64(Abandoned)))
		r.Check(e.ID > before && e.ID <= p.last && e.Stage >= Generated, "entry out of order")
		if p.raised {
			e.InBody = r.Time()
			r.Check(e.InBody.IsZero() == (e.Stage == Generated), "time in a body")
		}
		if !r.OK() {
			return
		}
		before = e.ID
	}
}

func (p *Pool) readFallbacks(r *record.Reader) {
	each, most := fallbackFields1, maxFallbacks1
	if p.raised {
		each, most = fallbackFields2, MaxFallbacks
	}
	n := r.Count(each * most)
	r.Check(n%each == 0, "count")
	// What comes later is older, so ids fall.
	limit := p.last
	for i := 0; i < n/each && r.OK(); i++ {
		var f Fallback
		f.ID = ID(r.Uint(1<<32 - 1))
		r.Fixed(f.Public[:])
		f.Created = r.Time()
		f.Published = r.Bool()
		if p.raised {
			f.InBody, f.Superseded, f.SupersededIn = r.Time(), r.Time(), r.Order()
			r.Check(f.SupersededIn == 0 || !f.Superseded.IsZero(), "superseded at no time")
		}
		r.Check(f.ID != 0 && f.ID <= limit, "fallback key out of order")
		limit = f.ID - 1
		p.fallbacks = append(p.fallbacks, f)
	}
}
