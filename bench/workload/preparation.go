package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// preparation is what all systems of a comparison begin with.
type preparation struct {
	Config
	ctx     context.Context
	now     time.Time
	bob     device
	peers   []peer // as they are when all letters are written
	blocks  []block
	entries string // the file that stores begin with
	number  uint64 // of the last message
	order   *rand.Rand
	server  *homeserver // of a whole client, as it is when the systems begin
}

// block is what the processes do in one run: each its own calls, or all of them
// those that they share. Live workloads make theirs up as they go.
type block struct {
	number   int
	messages int
	rounds   int // of a whole client, in which these are
	scripts  [][]call
	shared   []call
}

// warmUp is the share of a run that the run before the first does.
const warmUp = 5

// prepare makes the store's entries and the blocks.
func prepare(ctx context.Context, c Config, w workload) (p *preparation, err error) {
	p = &preparation{
		Config: c, ctx: ctx, now: time.Now(),
		entries: filepath.Join(c.Dir, "entries"),
		order:   rand.New(rand.NewPCG(c.Seed, 1)),
	}
	for run := range c.Runs + 1 {
		b := block{number: run, messages: c.Messages}
		if run == 0 {
			b.messages = max(c.Messages/warmUp, 1)
		}
		p.blocks = append(p.blocks, b)
	}
	if p.bob, err = p.makeBob(w); err != nil {
		return nil, err
	}
	if err := w.prepare(p); err != nil {
		return nil, err
	}
	out, err := createEntries(p.entries)
	if err != nil {
		return nil, err
	}
	err = errors.Join(p.bob.write(out), out.close())
	p.bob.known = nil // of a large store, most of the memory
	return p, err
}

// makeBob makes Bob's account as the workload needs it.
func (p *preparation) makeBob(w workload) (device, error) {
	switch {
	case w.client:
		return newDevice(p.ctx, p.Seed, p.enterRoom)
	case w.name != OpenIn:
		return newDevice(p.ctx, p.Seed, offering(p.ctx, 0))
	case p.messages() > maxOneTimeKeys:
		return device{}, fmt.Errorf("workload: %d messages in all runs: want %d at most", p.messages(), maxOneTimeKeys)
	}
	return newDevice(p.ctx, p.Seed, offering(p.ctx, p.messages()))
}

// maxOneTimeKeys is below what an account keeps.
const maxOneTimeKeys = 4500

// messages returns how many all blocks have.
func (p *preparation) messages() int {
	n := 0
	for _, b := range p.blocks {
		n += b.messages
	}
	return n
}

func (p *preparation) next() uint64 {
	p.number++
	return p.number
}

// addPeers makes n more peers, with sessions if they have met Bob: of each peer
// all that it has, the newest last.
func (p *preparation) addPeers(n int, met bool) ([][]session.Session, error) {
	first := len(p.peers)
	p.peers = slices.Grow(p.peers, n)[:first+n]
	sessions := make([][]session.Session, n)
	workers, ctx := errgroup.WithContext(p.ctx)
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		workers.Go(func() (err error) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if p.peers[first+i], err = newPeer(p.Seed, first+i, p.now); err != nil || !met {
				return err
			}
			sessions[i], err = p.peers[first+i].meetAgain(p.bob.account, p.now, p.Params.PeerSessions)
			return err
		})
	}
	return sessions, workers.Wait()
}

// meet makes n more peers that Bob has a session with.
func (p *preparation) meet(n int) error {
	sessions, err := p.addPeers(n, true)
	if err != nil {
		return err
	}
	for _, all := range sessions {
		newest := len(all) - 1
		p.bob.meets(all[newest], all[:newest]...)
	}
	return nil
}

// letter lets a peer write to Bob.
func (p *preparation) letter(from int) (letter, error) {
	return write(&p.peers[from], p.next(), p.Params.Size)
}

func write(from *peer, number uint64, size int) (letter, error) {
	m, err := from.write(text(number, size))
	return letter{number, from.id(), m.Type, m.Body}, err
}

// target returns a peer for Bob to write to.
func (p *preparation) target(to int) target { return target{Number: p.next(), Peer: p.peers[to].id()} }

// picks returns for each message of all blocks which of the sessions it is in:
// the sessions that are picked are numbered in the order in which they are, so
// that peers are needed for those only.
func (p *preparation) picks(sessions int) (picks []int, picked int) {
	draw := func() int { return p.order.IntN(sessions) }
	if p.Params.Distribution == Zipf {
		draw = zipf(p.order, sessions)
	}
	numbers := map[int]int{}
	for range p.messages() {
		s := draw()
		if _, known := numbers[s]; !known {
			numbers[s] = len(numbers)
		}
		picks = append(picks, numbers[s])
	}
	return picks, len(numbers)
}

// zipf draws ranks of which the first is the most frequent: as people write,
// some peers much and most hardly ever.
func zipf(r *rand.Rand, n int) func() int {
	z := rand.NewZipf(r, 1.1, 1, uint64(n-1))
	return func() int { return int(z.Uint64()) }
}

// copyPeers returns peers for a system to go on with, by their keys.
func (p *preparation) copyPeers() map[ratchet.PublicKey]*peer {
	peers := make(map[ratchet.PublicKey]*peer, len(p.peers))
	for i, other := range p.peers {
		other.rand = source(p.Seed, "live", i)
		peers[other.id()] = &other
	}
	return peers
}
