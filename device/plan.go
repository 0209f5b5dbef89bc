package device

import (
	"cmp"
	"iter"
	"slices"

	"github.com/pawlkv/pawl/matrix"
)

// Plan is which of a user's devices an answer changes. What becomes of each is for
// [Answers.Join] to say, part by part, of what is known then.
type Plan struct {
	Refused []Refusal // that need no look at other users' devices

	user    matrix.UserID
	changed []matrix.DeviceID // that are known, and those that are gone
	added   []matrix.DeviceID
	claims  map[matrix.DeviceID]Claim
	// forgotten are those that were gone longest, where others need their place.
	forgotten []Name
}

// Plan compares an answer with all devices that are kept of its user.
//
// At most [MaxKept] are kept. Where an answer brings more, those that were gone
// longest are forgotten, and if there are none, the last of the new ones are refused
// with [ErrMany].
func (a Answer) Plan(known []Device) Plan {
	p := Plan{Refused: slices.Clip(a.Refused), user: a.User, claims: map[matrix.DeviceID]Claim{}}
	byID := map[matrix.DeviceID]Device{}
	for _, d := range known {
		byID[d.Device] = d
	}
	present := map[matrix.DeviceID]bool{}
	for _, r := range a.Refused {
		present[r.Device] = true
	}
	for _, c := range a.Claims {
		present[c.Device] = true
		old, isKnown := byID[c.Device]
		switch {
		case !isKnown:
			p.added = append(p.added, c.Device)
		case old.Curve25519 != c.Curve25519 || old.Ed25519 != c.Ed25519:
			p.Refused = append(p.Refused, Refusal{c.User, c.Device, ErrChanged})
			continue
		case old.Claim != c || !old.Gone.IsZero():
			p.changed = append(p.changed, c.Device)
		default:
			continue
		}
		p.claims[c.Device] = c
	}
	var old []Device
	for _, d := range known {
		switch {
		case present[d.Device]:
		case d.Gone.IsZero():
			p.changed = append(p.changed, d.Device)
		default:
			old = append(old, d)
		}
	}
	p.makeRoom(MaxKept-len(known), old)
	return p
}

// makeRoom keeps the new devices within what there is room for.
func (p *Plan) makeRoom(room int, gone []Device) {
	if len(p.added) <= room {
		return
	}
	slices.SortFunc(gone, func(a, b Device) int {
		return cmp.Or(a.Gone.Compare(b.Gone), cmp.Compare(a.Device, b.Device))
	})
	room = max(room, 0)
	gone = gone[:min(len(gone), len(p.added)-room)]
	for _, d := range gone {
		p.forgotten = append(p.forgotten, d.Name)
	}
	kept := min(len(p.added), room+len(gone))
	for _, id := range p.added[kept:] {
		p.Refused = append(p.Refused, Refusal{p.user, id, ErrMany})
		delete(p.claims, id)
	}
	p.added = p.added[:kept]
}

// Added are the devices that are not known.
func (p Plan) Added() []Name { return p.names(p.added) }

func (p Plan) names(ids []matrix.DeviceID) (names []Name) {
	for _, id := range ids {
		names = append(names, Name{p.user, id})
	}
	return names
}

// Part is some of a plan, for one commit.
type Part struct {
	Answer           // what it says of the devices
	Devices   []Name // that are looked at: those that it does not have are gone
	Forgotten []Name // are to be forgotten, if they are gone still
}

// Parts yields parts of at most so many devices. Those that are forgotten come
// first.
func (p Plan) Parts(most int) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		for names := range slices.Chunk(p.forgotten, most) {
			if !yield(Part{Answer: Answer{User: p.user}, Forgotten: names}) {
				return
			}
		}
		for ids := range slices.Chunk(slices.Concat(p.changed, p.added), most) {
			part := Part{Answer: Answer{User: p.user}, Devices: p.names(ids)}
			for _, id := range ids {
				if c, there := p.claims[id]; there {
					part.Claims = append(part.Claims, c)
				}
			}
			if !yield(part) {
				return
			}
		}
	}
}

// Without leaves a device alone.
func (p Part) Without(n Name) Part {
	p.Devices = slices.DeleteFunc(slices.Clone(p.Devices), func(other Name) bool { return other == n })
	p.Claims = slices.DeleteFunc(slices.Clone(p.Claims), func(c Claim) bool { return c.Name == n })
	return p
}
