package workload

import (
	"bytes"
	"slices"
	"time"

	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/ratchet"
)

// slot names a message key: no two ciphertexts may be under one.
type slot struct {
	session ratchet.SessionID
	chain   ratchet.PublicKey
	index   uint32
}

// ledger judges one system: what came of each message.
type ledger struct {
	bob      ratchet.PublicKey
	size     int
	peers    map[ratchet.PublicKey]*peer
	used     map[slot]bool
	wrong    result.Wrong
	suspects map[ratchet.PublicKey]bool // whose session may be broken
	errors   map[string]int             // what was said of what was lost
	room     roomLedger                 // of a whole client
}

func newLedger(p *preparation) *ledger {
	return &ledger{
		bob: p.bob.account.Identity(), size: p.Params.Size, peers: p.copyPeers(),
		used: map[slot]bool{}, suspects: map[ratchet.PublicKey]bool{}, errors: map[string]int{}, room: newRoomLedger(),
	}
}

// enter looks at what a process made of its calls.
func (l *ledger) enter(a answer) {
	for _, f := range a.Failed {
		l.lose(f.Peer, f.Error)
	}
	l.read(a.Made)
}

func (l *ledger) lose(peer ratchet.PublicKey, why string) {
	l.wrong.Lost++
	l.suspects[peer] = true
	l.errors["lost: "+why]++
}

// read lets the peers read what Bob wrote, in the order of its chains: what
// several processes write at once may come in any, and a peer keeps the keys of
// some only.
func (l *ledger) read(all []made) {
	type parsed struct {
		made
		slot
	}
	var letters []parsed
	for _, m := range all {
		normal, err := normalOf(m.message())
		if err != nil {
			l.lose(m.Peer, err.Error())
			continue
		}
		letters = append(letters, parsed{m, slot{m.Session, normal.RatchetKey, normal.Index}})
	}
	slices.SortStableFunc(letters, func(a, b parsed) int { return int(int64(a.index) - int64(b.index)) })
	for _, m := range letters {
		l.use(m.slot, m.Peer)
		l.deliver(m.made)
	}
}

// use notes that a message key was used for a peer.
func (l *ledger) use(s slot, peer ratchet.PublicKey) {
	if l.used[s] {
		l.wrong.Reused++
		l.suspects[peer] = true
	}
	l.used[s] = true
}

func (m made) message() ratchet.Message { return ratchet.Message{Type: m.Type, Body: m.Body} }

// deliver reports whether the peer could read a message.
func (l *ledger) deliver(m made) bool {
	p := l.peers[m.Peer]
	plaintext, err := p.read(l.bob, m.message(), time.Now())
	switch {
	case err != nil:
		l.lose(m.Peer, "a peer: "+err.Error())
	case !bytes.Equal(plaintext, text(m.Number, l.size)):
		l.lose(m.Peer, "a peer: another plaintext than was sent")
	default:
		return true
	}
	return false
}
