package workload

import (
	"context"
	"fmt"
	"net/http"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// limit is how many to-device events the server has in a response.
const limit = 100

// enterRoom makes Bob a client in a room: his keys are on the server, he has a
// session with each peer and has given them the room's key, and they have given him
// theirs.
func (p *preparation) enterRoom(_ *device, m *pawl.Machine) error {
	if _, err := p.addPeers(p.Params.Peers, false); err != nil {
		return err
	}
	bob, err := m.Identity(p.ctx)
	if err != nil {
		return err
	}
	l := &ledger{
		bob: bob.Curve25519, peers: map[ratchet.PublicKey]*peer{}, used: map[slot]bool{},
		suspects: map[ratchet.PublicKey]bool{}, errors: map[string]int{}, room: newRoomLedger(),
	}
	for i := range p.peers {
		l.peers[p.peers[i].id()] = &p.peers[i]
	}
	e := entering{m, newHomeserver(l)}
	members := p.members()
	if err := e.share(p.ctx, members); err != nil {
		return err
	}
	if err := e.receive(p.ctx, p.peers, bob); err != nil {
		return err
	}
	// The first sync may have come after changes, so all devices were asked for again.
	if err := e.share(p.ctx, members); err != nil {
		return err
	}
	if l.wrong.Any() {
		return fmt.Errorf("workload: entering the room went wrong: %+v, %q", l.wrong, l.notes())
	}
	p.server = e.server
	return nil
}

// members returns the users whose devices are in the room.
func (p *preparation) members() []matrix.UserID {
	all := []matrix.UserID{bobUser}
	for i := range p.peers {
		all = append(all, p.peers[i].account.User())
	}
	return all
}

// entering is Bob's machine while it enters the room.
type entering struct {
	machine *pawl.Machine
	server  *homeserver
}

// send sends all that there is to send.
func (e entering) send(ctx context.Context) error {
	for {
		all, err := e.machine.OutgoingRequests(ctx)
		if len(all) == 0 || err != nil {
			return err
		}
		if err := e.answer(ctx, all); err != nil {
			return err
		}
	}
}

func (e entering) answer(ctx context.Context, all []pawl.Request) error {
	for _, r := range all {
		status, body, err := e.server.answer(r)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("workload: the server refuses to take %v: %s", r.Kind, body)
		}
		if err == nil {
			err = e.machine.MarkSent(ctx, r.ID, body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// share gives the room's key to all members.
func (e entering) share(ctx context.Context, members []matrix.UserID) error {
	for {
		s, err := e.machine.ShareRoomKey(ctx, theRoom, members, pawl.RoomSettings{Messages: group.MaxMessages})
		if err != nil || s.Done {
			return err
		}
		if err := e.answer(ctx, s.Requests); err != nil {
			return err
		}
		if err := e.send(ctx); err != nil {
			return err
		}
	}
}

// receive takes in a room key of each peer.
func (e entering) receive(ctx context.Context, peers []peer, bob pawl.Identity) error {
	for i := range peers {
		raw, err := peers[i].givesKey(bob)
		if err != nil {
			return err
		}
		e.server.send(raw)
	}
	for done := false; !done; {
		ticket, err := e.machine.NextSync(ctx)
		if err != nil {
			return err
		}
		response, numbers, err := e.server.sync(ticket.Since, limit)
		if err != nil {
			return err
		}
		got, err := e.machine.ReceiveSync(ctx, ticket, response)
		if err != nil {
			return err
		}
		if len(got.RoomKeys) != len(numbers) {
			return fmt.Errorf("workload: of %d room keys there came %d: %+v", len(numbers), len(got.RoomKeys), got.Refused)
		}
		done = len(numbers) == 0
	}
	return e.send(ctx)
}
