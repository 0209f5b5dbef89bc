package syncresponse

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pawlkv/pawl/matrix"
)

// parser fills a Response.
type parser struct {
	*walker
	own  Own
	into *Response
}

// sync is /sync (Matrix specification, GET /_matrix/client/v3/sync).
func (p *parser) sync() members {
	r := p.into
	m := members{
		"next_batch":   p.token(&r.Next),
		"to_device":    p.object(members{"events": p.array(p.letter)}),
		"device_lists": p.lists(),
		"rooms": p.object(members{
			"join":   p.each(func(id string) error { return p.room(id, false) }),
			"leave":  p.each(func(id string) error { return p.room(id, true) }),
			"invite": p.each(p.outside),
			"knock":  p.each(p.outside),
		}),
	}
	p.keys(m)
	return m
}

// token is a token of the next request. One in which something was no text would come
// back to the server as another.
func (p *parser) token(into *string) func() error {
	return func() error {
		var token string
		if err := p.value(&token)(); err != nil {
			return err
		}
		if strings.ContainsRune(token, utf8.RuneError) {
			return fmt.Errorf("%w: a token that is not text", ErrForm)
		}
		*into = token
		return nil
	}
}

// keys are the members that say what the server has of ours.
func (p *parser) keys(m members) {
	r := p.into
	m["device_one_time_keys_count"] = func() error {
		var counts map[string]int
		if err := p.value(&counts)(); err != nil || counts == nil {
			return err
		}
		for algorithm, n := range counts {
			if n < 0 {
				return fmt.Errorf("%w: %d keys of %q", ErrForm, n, algorithm)
			}
		}
		r.Counts = counts
		return nil
	}
	unused := func() error { return p.value(&r.Unused)() }
	m["device_unused_fallback_key_types"] = unused
	m["org.matrix.msc2732.device_unused_fallback_key_types"] = unused
}

func (p *parser) lists() func() error {
	return p.object(members{"changed": p.users(&p.into.Changed), "left": p.users(&p.into.Left)})
}

func (p *parser) users(into *[]matrix.UserID) func() error {
	return func() error {
		var users []matrix.UserID
		if err := p.value(&users)(); err != nil {
			return err
		}
		*into = append(*into, users...)
		return nil
	}
}

// letter is a to-device event.
func (p *parser) letter() error {
	s, err := p.span()
	if err == nil {
		p.into.ToDevice = append(p.into.ToDevice, s)
	}
	return err
}

// room is one of /sync: the state comes before the timeline, and the state after the
// timeline (state_after, MSC4222) after it, wherever they stand.
func (p *parser) room(id string, gone bool) error {
	r := Room{ID: matrix.RoomID(id), Gone: gone}
	var timeline, after []RoomEvent
	told := false
	stateAfter := func() error {
		there, err := p.begin('{')
		if err != nil || !there {
			return err
		}
		told = true
		return p.rest(members{"events": p.array(p.event(&after))}.read(p.skip))
	}
	err := p.object(members{
		"state": p.object(members{"events": p.array(p.event(&r.Events))}),
		"timeline": p.object(members{
			"events":  p.array(p.event(&timeline)),
			"limited": p.value(&r.Limited),
		}),
		"state_after":                    stateAfter,
		"org.matrix.msc4222.state_after": stateAfter,
	})()
	for i := range timeline {
		timeline[i].Passed = told
	}
	p.keep(r, append(timeline, after...))
	return err
}

// outside is a room that we were invited to, or knock at: whatever we were in it
// before, we are no member any more. What its state is said to be nobody vouches for.
func (p *parser) outside(id string) error {
	p.keep(Room{ID: matrix.RoomID(id), Gone: true}, nil)
	return p.skip()
}

// keep adds a room in which something happened that matters.
func (p *parser) keep(r Room, later []RoomEvent) {
	r.Events = append(r.Events, later...)
	if len(r.Events) > 0 || r.Limited || r.Gone {
		p.into.Rooms = append(p.into.Rooms, r)
	}
}

// event reads an event of a room, and keeps it if it is of the state and of a kind
// that matters.
func (p *parser) event(into *[]RoomEvent) func() error {
	return func() error {
		e, _, err := p.readEvent()
		if err == nil && e.Kind != 0 {
			*into = append(*into, e)
		}
		return err
	}
}

// readEvent returns an event and the room that it names. One of another shape has no
// kind.
func (p *parser) readEvent() (e RoomEvent, room matrix.RoomID, err error) {
	var kind, sender, id, key string
	keyed := false
	err = p.loose(members{
		"type": p.string(&kind), "sender": p.string(&sender), "room_id": p.string(&id),
		"state_key": func() error {
			keyed = p.Next() != 'n' // null
			return p.string(&key)()
		},
		"content": func() (err error) {
			e.Content, err = p.span()
			return err
		},
	})
	if keyed {
		e.Kind, e.StateKey = kindOf(kind), key
	}
	e.Sender = matrix.UserID(sender)
	return e, matrix.RoomID(id), err
}
