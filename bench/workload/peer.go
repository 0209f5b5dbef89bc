package workload

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// peer is a device that Bob talks to: a value, so that each system can go on
// with a copy of its own.
type peer struct {
	account account.Account
	key     otk.Key
	session ratchet.Session // with Bob; the zero one before they met
	sends   group.Sender    // in the room, if Bob was given its key
	rand    io.Reader
}

// source returns random bytes that depend on the seed and on what they are for.
func source(seed uint64, what string, n int) io.Reader {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	binary.BigEndian.PutUint64(key[8:], uint64(n))
	copy(key[16:], what)
	return rand.NewChaCha8(key)
}

func newPeer(seed uint64, n int, now time.Time) (peer, error) {
	p := peer{rand: source(seed, "peer", n)}
	var err error
	if p.account, err = account.New(p.rand, matrix.UserID(fmt.Sprintf("@peer%d:example.org", n)), "LAPTOP", now); err != nil {
		return p, err
	}
	_, keys, err := otk.Pool{}.Generate(p.rand, 1, now)
	if err == nil {
		p.key = keys[0]
	}
	return p, err
}

func (p *peer) id() ratchet.PublicKey { return p.account.Identity() }

// meet opens a session from Bob to the peer, who answers: both know the session,
// and Bob has the chain in which the peer sends. Then Bob writes again, which
// does not arrive, so that he has the chain in which he sends. It returns Bob's
// side.
func (p *peer) meet(bob account.Account, now time.Time) (session.Session, error) {
	ours, err := bob.OpenOutbound(p.rand, p.id(), p.key.Public(), session.Moment{Time: now})
	if err != nil {
		return ours, err
	}
	state, err := ours.Ratchet()
	if err != nil {
		return ours, err
	}
	state, hello, err := state.Encrypt(p.rand, []byte("hello"))
	if err != nil {
		return ours, err
	}
	if _, err := p.read(bob.Identity(), hello, now); err != nil {
		return ours, err
	}
	answer, err := p.write([]byte("hello yourself"))
	if err != nil {
		return ours, err
	}
	normal, err := normalOf(answer)
	if err != nil {
		return ours, err
	}
	if state, _, err = state.Decrypt(normal); err != nil {
		return ours, err
	}
	state, _, err = state.Encrypt(p.rand, []byte("how are you"))
	return ours.Received(state, session.Moment{Time: now}).Sent(state, now), err
}

// meetAgain opens as many sessions as there are to be, a minute after the other,
// with skipped keys in each; or just one without, if none are asked for. The peer
// goes on in the last.
func (p *peer) meetAgain(bob account.Account, now time.Time, sessions int) ([]session.Session, error) {
	if sessions == 0 {
		s, err := p.meet(bob, now)
		return []session.Session{s}, err
	}
	all := make([]session.Session, sessions)
	for i := range all {
		at := now.Add(-time.Duration(sessions-1-i) * time.Minute)
		s, err := p.meet(bob, at)
		if err != nil {
			return nil, err
		}
		if all[i], err = p.skip(s, at); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// skippedKeys is how many keys Bob keeps of messages that have not come.
const skippedKeys = 39

// skip writes more messages to Bob of which only the last arrives.
func (p *peer) skip(ours session.Session, now time.Time) (session.Session, error) {
	for range skippedKeys {
		if _, err := p.write([]byte("lost")); err != nil {
			return ours, err
		}
	}
	m, err := p.write([]byte("here"))
	if err != nil {
		return ours, err
	}
	normal, err := normalOf(m)
	if err != nil {
		return ours, err
	}
	state, err := ours.Ratchet()
	if err != nil {
		return ours, err
	}
	state, _, err = state.Decrypt(normal)
	return ours.Received(state, session.Moment{Time: now}), err
}

// open opens a session from the peer to Bob with a one-time key of his.
func (p *peer) open(bob, oneTimeKey ratchet.PublicKey, now time.Time) error {
	opened, err := p.account.OpenOutbound(p.rand, bob, oneTimeKey, session.Moment{Time: now})
	if err != nil {
		return err
	}
	p.session, err = opened.Ratchet()
	return err
}

// write encrypts for Bob.
func (p *peer) write(text []byte) (ratchet.Message, error) {
	next, m, err := p.session.Encrypt(p.rand, text)
	if err == nil {
		p.session = next
	}
	return m, err
}

// read decrypts what Bob wrote. Of a failure nothing remains.
func (p *peer) read(bob ratchet.PublicKey, m ratchet.Message, now time.Time) ([]byte, error) {
	if m.Type == ratchet.PreKey {
		parsed, err := ratchet.ParsePreKeyMessage(m.Body)
		if err != nil {
			return nil, err
		}
		if parsed.SessionID() != p.session.ID() {
			in, err := p.account.OpenInbound(p.key, bob, parsed, session.Moment{Time: now})
			if err != nil {
				return nil, err
			}
			p.session, err = in.Session.Ratchet()
			return in.Plaintext.Bytes, err
		}
	}
	normal, err := normalOf(m)
	if err != nil {
		return nil, err
	}
	next, plaintext, err := p.session.Decrypt(normal)
	if err == nil {
		p.session = next
	}
	return plaintext.Bytes, err
}

func normalOf(m ratchet.Message) (ratchet.NormalMessage, error) {
	if m.Type == ratchet.PreKey {
		p, err := ratchet.ParsePreKeyMessage(m.Body)
		return p.Normal, err
	}
	return ratchet.ParseNormalMessage(m.Body)
}

// text returns the plaintext with a number.
func text(number uint64, size int) []byte {
	size = max(size, minSize) // a whole client has room keys, which are as large as they are
	b := make([]byte, size)
	binary.BigEndian.PutUint64(b, number)
	for i := 8; i < size; i++ {
		b[i] = byte(number + uint64(i))
	}
	return b
}
