package interop_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/internal/interop"
	"github.com/pawlkv/pawl/internal/story"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// rounds and seeds of TestStory for each implementation and cache policy.
const (
	rounds = 300
	seeds  = 3
)

// TestStory plays the random rounds of package story with somebody else's Olm
// as the far side, so that a mistake made alike on both sides cannot pass.
func TestStory(t *testing.T) {
	policies := map[string]txn.CachePolicy{"NoCache": txn.NoCache, "Validated": txn.Validated}
	for _, other := range interop.Others() {
		for name, policy := range policies {
			t.Run(other.Name()+"/"+name, func(t *testing.T) {
				for seed := range uint64(seeds) {
					played, broken := play(t, other, story.Setting{Seed: seed, Policy: policy})
					if len(broken) > 0 || played != rounds {
						t.Errorf("seed %d: after %d rounds:\n%s", seed, played, broken)
					}
				}
			})
		}
	}
}

// TestStoryOnStaleCache shows that these rounds, too, see the wedge.
func TestStoryOnStaleCache(t *testing.T) {
	const soon = 40
	for _, other := range interop.Others() {
		t.Run(other.Name(), func(t *testing.T) {
			for seed := range uint64(seeds) {
				played, broken := play(t, other, story.Setting{Seed: seed, Design: story.Stale})
				if !broken.Lost() || !broken.Has(story.Agreement) || played > soon {
					t.Errorf("seed %d: after %d rounds a stale cache has broken only %v", seed, played, broken.Oracles())
				}
				t.Logf("seed %d: a stale cache loses a message in round %d", seed, played)
			}
		})
	}
}

func play(t *testing.T, other interop.Implementation, s story.Setting) (played int, broken story.Violations) {
	t.Helper()
	s.Store = memkv.New()
	s.Peer = func(uint64) (story.Peer, error) { return newFarSide(other) }
	played, broken, err := story.Rounds(t.Context(), s, rounds)
	if err != nil {
		t.Fatal(err)
	}
	return played, broken
}

// farSide is a device as a client of that implementation would keep it: its
// sessions, the one that heard last first.
type farSide struct {
	account  interop.Account
	identity ratchet.PublicKey
	sessions []interop.Session
}

func newFarSide(of interop.Implementation) (story.Peer, error) {
	account, err := of.NewAccount()
	if err != nil {
		return nil, err
	}
	identity, err := ratchet.ParsePublicKey(account.IdentityKey())
	return &farSide{account: account, identity: identity}, err
}

func (f *farSide) Identity() ratchet.PublicKey { return f.identity }

func (f *farSide) OneTimeKey() (ratchet.PublicKey, error) {
	keys, err := f.account.OneTimeKeys(1)
	if err != nil {
		return ratchet.PublicKey{}, err
	}
	return ratchet.ParsePublicKey(keys[0])
}

func (f *farSide) Open(to, oneTimeKey ratchet.PublicKey, plaintext []byte) (ratchet.Message, error) {
	s, err := f.account.Outbound(to.String(), oneTimeKey.String())
	if err != nil {
		return ratchet.Message{}, err
	}
	f.prefer(s)
	return f.Encrypt(to, plaintext)
}

func (f *farSide) Encrypt(_ ratchet.PublicKey, plaintext []byte) (ratchet.Message, error) {
	if len(f.sessions) == 0 {
		return ratchet.Message{}, errors.New("no session")
	}
	m, err := f.sessions[0].Encrypt(plaintext)
	return ratchet.Message{Type: ratchet.MessageType(m.Type), Body: m.Body}, err
}

func (f *farSide) Decrypt(from ratchet.PublicKey, m ratchet.Message) ([]byte, error) {
	message := interop.Message{Type: int(m.Type), Body: m.Body}
	if m.Type == ratchet.PreKey {
		return f.decryptPreKey(from, message)
	}
	var failures []error
	for _, s := range f.sessions {
		plaintext, err := s.Decrypt(message)
		if err == nil {
			f.prefer(s)
			return plaintext, nil
		}
		failures = append(failures, err)
	}
	return nil, fmt.Errorf("none of %d sessions: %w", len(f.sessions), errors.Join(failures...))
}

// decryptPreKey uses the session that the message is of, or opens it.
func (f *farSide) decryptPreKey(from ratchet.PublicKey, m interop.Message) ([]byte, error) {
	for _, s := range f.sessions {
		ours, err := s.Matches(from.String(), m)
		if err != nil {
			return nil, err
		}
		if ours {
			return f.decryptIn(s, m)
		}
	}
	s, err := f.account.Inbound(from.String(), m)
	if err != nil {
		return nil, err
	}
	plaintext, err := f.decryptIn(s, m)
	if err != nil {
		return nil, err
	}
	return plaintext, f.account.Consume(s)
}

func (f *farSide) decryptIn(s interop.Session, m interop.Message) ([]byte, error) {
	plaintext, err := s.Decrypt(m)
	if err == nil {
		f.prefer(s)
	}
	return plaintext, err
}

// prefer makes s the session to send in.
func (f *farSide) prefer(s interop.Session) {
	rest := []interop.Session{s}
	for _, other := range f.sessions {
		if other.ID() != s.ID() {
			rest = append(rest, other)
		}
	}
	f.sessions = rest
}
