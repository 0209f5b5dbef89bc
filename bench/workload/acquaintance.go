package workload

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// acquaintance is a peer of Bob's in his store: one that he has a session with,
// or one that nobody is and no message is from, so that the store is large.
type acquaintance struct {
	name    string // blinded
	peer    ratchet.PublicKey
	session *session.Session // nil: as large as that of others
	older   []session.Session
}

// meets notes a session for the store.
func (d *device) meets(s session.Session, older ...session.Session) {
	d.known = append(d.known, acquaintance{d.ring.Blind(s.Peer().String()), s.Peer(), &s, older})
}

// crowd notes n acquaintances that nobody is.
func (d *device) crowd(n int, seed uint64) error {
	random := source(seed, "crowd", 0)
	d.known = slices.Grow(d.known, n)
	for range n {
		a := acquaintance{}
		if _, err := random.Read(a.peer[:]); err != nil {
			return err
		}
		a.name = d.ring.Blind(a.peer.String())
		d.known = append(d.known, a)
	}
	return nil
}

// write writes all entries of Bob's store. Those of acquaintances are in the
// order of their keys: an engine that keeps entries in that order takes a
// million of them many times as fast.
func (d *device) write(w *entryWriter) error {
	for _, e := range d.entries {
		if err := w.add(e.Key, e.Value); err != nil {
			return err
		}
	}
	i := slices.IndexFunc(d.known, func(a acquaintance) bool { return a.session != nil })
	if i < 0 {
		return nil
	}
	like, err := d.known[i].session.Ratchet()
	if err != nil {
		return err
	}
	slices.SortFunc(d.known, func(a, b acquaintance) int { return cmp.Compare(a.name, b.name) })
	now := time.Now()
	of := func(a acquaintance) session.Session {
		if a.session != nil {
			return *a.session
		}
		return session.New(like, a.peer, session.Outbound, session.Moment{Time: now}).Received(like, session.Moment{Time: now}).Sent(like, now)
	}
	sessions := func(a acquaintance) []session.Session { return append(slices.Clip(a.older), of(a)) }
	return errors.Join(
		d.writeAll(w, "/peer/", func(a acquaintance) ([]part, error) {
			known := session.NewPeer(a.peer)
			for _, s := range sessions(a) {
				var err error
				if known, err = known.Add(s.ID()); err != nil {
					return nil, err
				}
			}
			record, err := known.Encode()
			return []part{{"", record}}, err
		}),
		d.writeAll(w, "/session/", func(a acquaintance) ([]part, error) {
			var parts []part
			for _, s := range sessions(a) {
				record, err := s.Encode()
				if err != nil {
					return nil, err
				}
				parts = append(parts, part{"/" + d.ring.Blind(s.ID().String()), record})
			}
			return parts, nil
		}))
}

// part is a record of an acquaintance: what its key adds to the acquaintance's
// name, and its plaintext.
type part struct {
	rest  string
	plain []byte
}

// writeAll writes the records of each acquaintance.
func (d *device) writeAll(w *entryWriter, kind string, records func(acquaintance) ([]part, error)) error {
	for _, a := range d.known {
		parts, err := records(a)
		if err != nil {
			return err
		}
		for _, p := range parts {
			key := d.scope + kind + a.name + p.rest
			if err := w.add(key, d.ring.Seal(nil, key, p.plain)); err != nil {
				return err
			}
		}
	}
	return nil
}
