package ratchet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"pgregory.net/rapid"
)

// end is one side of a conversation: the real session, the model, what it was
// sent, and what was delivered before.
type end struct {
	session Session
	model   modelEnd
	inbox   []sent
	seen    []sent
}

// conversation is two ends and states of the past with their records, which
// must never change.
type conversation struct {
	ends  [2]*end
	rand  io.Reader
	past  []remembered
	count int
}

type remembered struct {
	session Session
	record  []byte
}

func newConversation(t *rapid.T) *conversation {
	c := &conversation{rand: seeded(rapid.Uint64().Draw(t, "seed"))}
	a, b := rapidParty(t, c.rand), rapidParty(t, c.rand)
	alice, err := NewOutbound(c.rand, a.identity, b.identity.Public(), b.oneTime.Public())
	if err != nil {
		t.Fatal(err)
	}
	chain, _ := alice.SenderChain()
	c.ends = [2]*end{{session: alice, model: modelEnd{sending: &chain.RatchetKey}}, {}}
	// Bob's end opens with whichever of Alice's first messages he meets first.
	c.send(t, 0, rapid.IntRange(1, 45).Draw(t, "first burst"))
	met := rapid.IntRange(0, len(c.ends[1].inbox)-1).Draw(t, "met first")
	parsed, err := ParsePreKeyMessage(c.ends[1].inbox[met].message.Body)
	if err != nil {
		t.Fatal(err)
	}
	bob, err := NewInbound(b.identity, b.oneTime, parsed)
	if err != nil {
		t.Fatal(err)
	}
	if bob.ID() != alice.ID() || parsed.SessionID() != alice.ID() {
		t.Fatal("the two ends name the session differently")
	}
	c.ends[1].session = bob
	c.ends[1].model.chains = []modelChain{{key: chain.RatchetKey}}
	c.deliver(t, 1, met)
	return c
}

func rapidParty(t *rapid.T, source io.Reader) party {
	identity, err := GenerateKeyPair(source)
	if err != nil {
		t.Fatal(err)
	}
	oneTime, err := GenerateKeyPair(source)
	if err != nil {
		t.Fatal(err)
	}
	return party{identity, oneTime}
}

// send makes n messages, which wait in the other end's inbox.
func (c *conversation) send(t *rapid.T, from, n int) {
	e, to := c.ends[from], c.ends[1-from]
	for range n {
		c.count++
		text := fmt.Sprintf("message %d", c.count)
		next, m, err := e.session.Encrypt(c.rand, []byte(text))
		if err != nil {
			t.Fatalf("Encrypt: %v", err)
		}
		if want := map[bool]MessageType{false: PreKey, true: Normal}[e.model.received]; m.Type != want {
			t.Fatalf("message is %v, want %v", m.Type, want)
		}
		e.session = next
		parsed, err := parseAny(m)
		if err != nil {
			t.Fatalf("own message: %v", err)
		}
		e.model.noteSent(parsed.RatchetKey)
		s := sent{message: m, text: text, key: parsed.RatchetKey, index: parsed.Index}
		if len(e.model.chains) > 0 {
			s.against = e.model.chains[0].key
		}
		to.inbox = append(to.inbox, s)
	}
	c.check(t)
}

func (e *modelEnd) noteSent(key PublicKey) {
	if e.sending == nil {
		e.sending, e.index = &key, 0
	}
	e.index++
}

// leap sends n messages of which only the last arrives.
func (c *conversation) leap(t *rapid.T, from, n int) {
	to := c.ends[1-from]
	before := len(to.inbox)
	c.send(t, from, n)
	to.inbox = append(to.inbox[:before:before], to.inbox[len(to.inbox)-1])
	c.deliver(t, 1-from, before)
}

// deliver hands the message at a place of the inbox to its end.
func (c *conversation) deliver(t *rapid.T, to, at int) {
	e := c.ends[to]
	m := e.inbox[at]
	e.inbox = append(e.inbox[:at:at], e.inbox[at+1:]...)
	e.seen = append(e.seen, m)
	c.receive(t, e, m)
}

func (c *conversation) receive(t *rapid.T, e *end, m sent) {
	parsed, err := parseAny(m.message)
	if err != nil {
		t.Fatal(err)
	}
	c.remember(t, e.session)
	next, text, err := e.session.Decrypt(parsed)
	want := e.model.receive(m)
	if !errors.Is(err, want) {
		t.Fatalf("message %d of its chain: %v, want %v", m.index, err, want)
	}
	if err == nil {
		if string(text.Bytes) != m.text {
			t.Fatalf("plaintext %q, want %q", text.Bytes, m.text)
		}
		key, err := RestoreMessageKey(text.Key.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := key.Open(parsed); err != nil || string(again) != m.text {
			t.Fatalf("its message key opens %q, %v", again, err)
		}
		e.session = next
	}
	c.check(t)
}

// remember keeps a state that all later steps must leave alone.
func (c *conversation) remember(t *rapid.T, s Session) {
	record, err := s.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.past = append(c.past, remembered{s, record})
	if len(c.past) > 20 {
		c.past = c.past[1:]
	}
}

func (c *conversation) check(t *rapid.T) {
	for i, e := range c.ends {
		if e.session.IsZero() {
			continue
		}
		if err := e.model.agrees(e.session); err != nil {
			t.Fatalf("end %d: %v", i, err)
		}
	}
	for _, p := range c.past {
		record, err := p.session.AppendBinary(nil)
		if err != nil || !bytes.Equal(record, p.record) {
			t.Fatal("a later step changed an earlier state")
		}
	}
}

// reload writes an end to a record and goes on with what is read back.
func (c *conversation) reload(t *rapid.T, e *end) {
	record, err := e.session.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if e.session, err = DecodeSession(record); err != nil {
		t.Fatalf("own record: %v", err)
	}
	if again, _ := e.session.AppendBinary(nil); !bytes.Equal(again, record) {
		t.Fatal("the record read back is another")
	}
}

// tamper delivers a message with one bit changed somewhere.
func (c *conversation) tamper(t *rapid.T, e *end, m sent) {
	body := bytes.Clone(m.message.Body)
	body[rapid.IntRange(0, len(body)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	parsed, err := parseAny(Message{m.message.Type, body})
	if err != nil {
		return
	}
	// A bit of a pre-key message's own fields is not under the MAC.
	if original, _ := parseAny(m.message); bytes.Equal(parsed.raw, original.raw) {
		return
	}
	c.remember(t, e.session)
	if _, _, err := e.session.Decrypt(parsed); err == nil {
		t.Fatal("a changed message decrypted")
	}
	c.check(t)
}

func TestConversations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newConversation(t)
		pick := func(t *rapid.T) (int, *end) {
			i := rapid.IntRange(0, 1).Draw(t, "end")
			return i, c.ends[i]
		}
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				i, _ := pick(t)
				// Around the number of skipped keys, and a few.
				c.send(t, i, rapid.SampledFrom([]int{1, 1, 2, 3, 39, 40, 41, 42}).Draw(t, "burst"))
			},
			"leap": func(t *rapid.T) {
				i, _ := pick(t)
				if rapid.IntRange(0, 9).Draw(t, "rarely") == 0 {
					c.leap(t, i, rapid.SampledFrom([]int{2000, 2001, 2002}).Draw(t, "burst"))
				}
			},
			"deliver the next": func(t *rapid.T) {
				if i, e := pick(t); len(e.inbox) > 0 {
					c.deliver(t, i, 0)
				}
			},
			"deliver any": func(t *rapid.T) {
				if i, e := pick(t); len(e.inbox) > 0 {
					c.deliver(t, i, rapid.IntRange(0, len(e.inbox)-1).Draw(t, "at"))
				}
			},
			"deliver the newest": func(t *rapid.T) {
				if i, e := pick(t); len(e.inbox) > 0 {
					c.deliver(t, i, len(e.inbox)-1)
				}
			},
			"lose": func(t *rapid.T) {
				if _, e := pick(t); len(e.inbox) > 0 {
					e.inbox = e.inbox[rapid.IntRange(1, len(e.inbox)).Draw(t, "lost"):]
				}
			},
			"deliver again": func(t *rapid.T) {
				if _, e := pick(t); len(e.seen) > 0 {
					c.receive(t, e, rapid.SampledFrom(e.seen).Draw(t, "message"))
				}
			},
			"tamper": func(t *rapid.T) {
				if _, e := pick(t); len(e.inbox) > 0 {
					c.tamper(t, e, rapid.SampledFrom(e.inbox).Draw(t, "message"))
				}
			},
			"reload": func(t *rapid.T) {
				_, e := pick(t)
				c.reload(t, e)
			},
			"ping-pong": func(t *rapid.T) {
				for range rapid.IntRange(1, 7).Draw(t, "rounds") {
					for i := range c.ends {
						c.send(t, i, 1)
						c.deliver(t, 1-i, len(c.ends[1-i].inbox)-1)
					}
				}
			},
		})
	})
}
