package syncresponse

import "github.com/pawlkv/pawl/matrix"

// sliding is simplified sliding sync (MSC4186).
func (p *parser) sliding() members {
	r := p.into
	e2ee := members{"device_lists": p.lists()}
	p.keys(e2ee)
	return members{
		"pos":   p.token(&r.Next),
		"rooms": p.each(p.slidingRoom),
		"extensions": p.object(members{
			"e2ee": p.object(e2ee),
			"to_device": p.object(members{
				"next_batch": p.token(&r.NextToDevice),
				"events":     p.array(p.letter),
			}),
		}),
	}
}

// slidingRoom is a room of a sliding sync. Its state is that at the end of the
// timeline, as far as the client has asked for it: what else happened stands in the
// timeline alone.
func (p *parser) slidingRoom(id string) error {
	r := Room{ID: matrix.RoomID(id)}
	var state []RoomEvent
	var membership string
	outside := func() error {
		there, err := p.begin('[')
		if err != nil || !there {
			return err
		}
		r.Gone = true
		return p.until(']', p.skip)
	}
	err := p.object(members{
		"required_state": p.array(p.event(&state)),
		"timeline":       p.array(p.event(&r.Events)),
		"limited":        p.value(&r.Limited),
		"membership":     p.string(&membership),
		"invite_state":   outside,
		"stripped_state": outside,
	})()
	r.Gone = r.Gone || membership != "" && membership != "join"
	p.keep(r, state)
	return err
}

// transaction is what an application service is sent (Matrix specification,
// PUT /_matrix/app/v1/transactions, with MSC2409 and MSC3202): of all its devices,
// of which we are one.
func (p *parser) transaction() members {
	r := p.into
	m := members{"events": p.array(p.serviceEvent)}
	for _, prefix := range []string{"", "de.sorunome.msc2409.", "org.matrix.msc3202."} {
		m[prefix+"to_device"] = p.array(p.addressed)
		m[prefix+"device_lists"] = p.lists()
		m[prefix+"device_one_time_keys_count"] = p.ofDevice(func() error {
			return p.value(&r.Counts)()
		})
		m[prefix+"device_unused_fallback_key_types"] = p.ofDevice(func() error {
			return p.value(&r.Unused)()
		})
	}
	return m
}

// ofDevice reads what is there for our device among those of many users.
func (p *parser) ofDevice(read func() error) func() error {
	return p.each(func(user string) error {
		return p.each(func(device string) error {
			if user != string(p.own.User) || device != string(p.own.Device) {
				return p.skip()
			}
			return read()
		})()
	})
}

// addressed is a to-device event that may be for another device.
func (p *parser) addressed() error {
	p.Next() // past blanks
	s := Span{Start: p.offset()}
	var user, device string
	if err := p.loose(members{"to_user_id": p.string(&user), "to_device_id": p.string(&device)}); err != nil {
		return err
	}
	if user == string(p.own.User) && device == string(p.own.Device) {
		s.End = p.offset()
		p.valid(s.Of(p.text)) // its parts are, but it is a level deeper
		p.into.ToDevice = append(p.into.ToDevice, s)
	}
	return nil
}

func (p *parser) serviceEvent() error {
	e, id, err := p.readEvent()
	if err != nil || e.Kind == 0 {
		return err
	}
	rooms := p.into.Rooms
	if n := len(rooms); n > 0 && rooms[n-1].ID == id {
		rooms[n-1].Events = append(rooms[n-1].Events, e)
		return nil
	}
	p.into.Rooms = append(rooms, Room{ID: id, Events: []RoomEvent{e}})
	return nil
}
