package workload

import (
	"context"
	"math/rand/v2"

	"github.com/pawlkv/pawl"
)

// The workloads of a whole client. Whoever of Bob's processes has its turn does a
// call, which is what a client does about one thing: it may ask the process for
// several, and the server between them, whose time is not counted.

// newcomers is how many of a hundred events of a sync are from devices that Bob does
// not know: each takes one of his one-time keys.
const newcomers = 5

// newcomersOf returns how many of a sync's events are from newcomers.
func newcomersOf(events int) int { return events * newcomers / 100 }

func prepareSync(p *preparation) error {
	each := p.Params.Batch
	if p.Params.Processes > 1 {
		each += p.Params.Peers // the other one shares
	}
	return p.rounds(each)
}

func prepareShare(p *preparation) error { return p.rounds(p.Params.Peers) }

func prepareRoom(p *preparation) error { return p.rounds(1) }

// rounds makes each block as many rounds as it has messages for, and at least one.
func (p *preparation) rounds(each int) error {
	for i := range p.blocks {
		b := &p.blocks[i]
		b.rounds = max(b.messages/each, 1)
		b.messages = b.rounds * each
	}
	return nil
}

// runSync has the peers give Bob room keys, and one process take them in. Where there
// are two, the other one then gives the peers Bob's.
func runSync(ctx context.Context, s *stage, b block) (outcome, error) {
	return s.inRounds(ctx, b, func(t *tally, round int) error {
		if err := s.giveKeys(); err != nil {
			return err
		}
		if err := s.syncs(t, s.turn(round)); err != nil || len(s.processes) == 1 {
			return err
		}
		return s.shares(t, s.turn(round+1))
	})
}

// runShare has a process give the peers the key of another session of the room.
func runShare(ctx context.Context, s *stage, b block) (outcome, error) {
	return s.inRounds(ctx, b, func(t *tally, round int) error { return s.shares(t, s.turn(round)) })
}

// runRoom has a process read an event of the room, and then one write one. People do
// not take turns: which process it is each time is drawn.
func runRoom(ctx context.Context, s *stage, b block) (outcome, error) {
	draw := rand.New(rand.NewPCG(s.Seed, uint64(b.number)))
	return s.inRounds(ctx, b, func(t *tally, round int) error {
		p := s.turn(draw.IntN(len(s.processes)))
		if round%2 == 1 {
			return s.writesInRoom(t, p, round/2)
		}
		from := s.peer(round / 2 % len(s.peers))
		event, err := from.says(s.next(), s.Params.Size)
		if err != nil {
			return err
		}
		return s.calls(t, p, call{Hear: []heard{event}})
	})
}

// turn returns the process whose turn it is.
func (s *stage) turn(round int) *process { return s.processes[round%len(s.processes)] }

// inRounds does a block's rounds.
func (s *stage) inRounds(ctx context.Context, b block, round func(*tally, int) error) (outcome, error) {
	return s.measured(b, func(t *tally) error {
		for i := range b.rounds {
			if err := round(t, i); err != nil {
				return err
			}
		}
		t.took = sum(t.latencies)
		return ctx.Err()
	})
}

// giveKeys has peers give Bob room keys by the server, some of them newcomers.
func (s *stage) giveKeys() error {
	fresh := newcomersOf(s.Params.Batch)
	for i := range s.Params.Batch {
		from := s.peer(i % len(s.peers))
		if i < fresh {
			var err error
			if from, err = s.newcomer(); err != nil {
				return err
			}
		}
		raw, err := from.givesKey(s.identity())
		if err != nil {
			return err
		}
		reads, err := from.says(s.next(), s.Params.Size)
		if err != nil {
			return err
		}
		s.ledger.owe(s.server.send(raw), from.id(), reads)
	}
	return nil
}

// identity is Bob's.
func (s *stage) identity() pawl.Identity {
	a := s.bob.account
	return pawl.Identity{UserID: a.User(), DeviceID: a.Device(), Curve25519: a.Identity(), Ed25519: a.Fingerprint()}
}

// newcomer makes a peer that claims one of Bob's one-time keys.
func (s *stage) newcomer() (*peer, error) {
	s.joined++
	p, err := newPeer(s.Seed, len(s.peers)+s.joined, s.now)
	if err != nil {
		return nil, err
	}
	s.server.peers[p.account.User()] = &p
	return &p, p.open(s.bob.account.Identity(), s.server.claim(), s.now)
}
