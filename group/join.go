package group

import (
	"cmp"
	"slices"
)

// Joins reports whether two records are of one session in one room and all their
// copies are of one ratchet: then [Inbound.Join] loses nothing, and the order in
// which records are joined does not matter.
func (in Inbound) Joins(other Inbound) bool {
	if in.room != other.room || in.id != other.id {
		return false
	}
	floor := max(in.floor, other.floor)
	all := raised(slices.Concat(in.copies, other.copies), floor)
	slices.SortFunc(all, func(a, b Copy) int { return cmp.Compare(a.Key.Index(), b.Key.Index()) })
	for i := 1; i < len(all); i++ {
		if !all[i-1].Key.Connected(all[i].Key) {
			return false
		}
	}
	return true
}

// Join returns what both records know: of each provenance the earliest copy that a
// better one does not cover, and the higher floor. Where [Inbound.Joins] it is
// commutative, associative and idempotent. Where not, it is what [Inbound.Merge]
// returns, with in as the stored record; of two sessions it is in.
func (in Inbound) Join(other Inbound) Inbound {
	next, _, err := in.Merge(other)
	if err != nil {
		return in
	}
	return next
}

// Refused is a copy that did not fit.
type Refused struct {
	Copy
	// Stored: it was in the record, and a better one contradicts it.
	Stored bool
}

// Merge returns the stored record with the copies of another, and the copies that
// are given up because they contradict a better one. A copy that contradicts what
// is there is refused, and what is stored stays, unless the new one is vouched for
// ([Direct], [Forwarded]) and of a better provenance. It fails with [ErrOther].
func (in Inbound) Merge(other Inbound) (Inbound, []Refused, error) {
	if in.room != other.room || in.id != other.id {
		return Inbound{}, nil, ErrOther
	}
	next := in
	next.floor = max(in.floor, other.floor)
	var kept []Copy
	var refused []Refused
	for _, c := range candidates(in, other, next.floor) {
		if fits(c.Copy, kept) {
			kept = append(kept, c.Copy)
		} else {
			refused = append(refused, c)
		}
	}
	next.copies = frontier(kept)
	return next, refused, nil
}

// candidates returns all copies of two records in the order of belief: those that
// are vouched for by provenance, and of one provenance the stored one; then what is
// stored; then the rest.
func candidates(stored, other Inbound, floor uint64) []Refused {
	var all []Refused
	for _, c := range raised(stored.copies, floor) {
		all = append(all, Refused{Copy: c, Stored: true})
	}
	for _, c := range raised(other.copies, floor) {
		all = append(all, Refused{Copy: c})
	}
	slices.SortStableFunc(all, func(a, b Refused) int {
		return cmp.Or(-cmp.Compare(a.belief(), b.belief()), -cmp.Compare(a.Provenance, b.Provenance))
	})
	return all
}

// belief orders copies that may contradict each other; of equal ones the better
// provenance, and then the stored one, comes first.
func (r Refused) belief() int {
	switch {
	case r.Provenance.vouched():
		return 2 + int(r.Provenance)
	case r.Stored:
		return 1
	}
	return 0
}

// fits reports that a copy is connected to each of those kept.
func fits(c Copy, kept []Copy) bool {
	return !slices.ContainsFunc(kept, func(k Copy) bool { return !k.Key.Connected(c.Key) })
}

// frontier returns of each provenance the best copy, without those that one of a
// better provenance covers, the best provenance first.
func frontier(copies []Copy) []Copy {
	var out []Copy
	for p := Direct; p >= File; p-- {
		var best *Copy
		for i := range copies {
			if c := &copies[i]; c.Provenance == p && (best == nil || c.better(*best)) {
				best = c
			}
		}
		if best != nil && (len(out) == 0 || !out[len(out)-1].covers(*best)) {
			out = append(out, *best)
		}
	}
	return out
}
