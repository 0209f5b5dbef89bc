package ratchet

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// refused decrypts a message that must fail in one way and change nothing.
func refused(t *testing.T, s Session, m NormalMessage, want error) {
	t.Helper()
	before := mustRecord(t, s)
	next, text, err := s.Decrypt(m)
	if !errors.Is(err, want) {
		t.Errorf("Decrypt: %v, want %v", err, want)
	}
	if !next.IsZero() || text.Bytes != nil || !text.Key.IsZero() {
		t.Error("a failed Decrypt returned something")
	}
	if !bytes.Equal(mustRecord(t, s), before) {
		t.Error("a failed Decrypt changed the session")
	}
}

// burst encrypts n messages in a row.
func burst(t *testing.T, s Session, n int) (Session, []Message) {
	t.Helper()
	out := make([]Message, n)
	for i := range out {
		s, out[i] = mustEncrypt(t, s, "burst")
	}
	return s, out
}

func TestRoundTripOfEveryLength(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	for n := range 70 {
		text := bytes.Repeat([]byte{byte(n)}, n)
		next, m, err := bob.Encrypt(rand.Reader, text)
		if err != nil {
			t.Fatal(err)
		}
		bob = next
		body := bytes.Clone(m.Body)
		var got Plaintext
		alice, got = mustDecrypt(t, alice, m)
		if !bytes.Equal(got.Bytes, text) {
			t.Errorf("%d bytes came back as %d", n, len(got.Bytes))
		}
		if !bytes.Equal(body, m.Body) || !bytes.Equal(text, bytes.Repeat([]byte{byte(n)}, n)) {
			t.Error("a call wrote into its input")
		}
	}
}

func TestSameStateAndRandomnessSameMessage(t *testing.T) {
	alice, bob := openPair(t, seeded(1))
	for _, s := range []Session{alice, bob} {
		a, m, errA := s.Encrypt(seeded(2), []byte("text"))
		b, n, errB := s.Encrypt(seeded(2), []byte("text"))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if !bytes.Equal(m.Body, n.Body) || !sameSession(t, a, b) {
			t.Error("encrypting again from one state gave another message or state")
		}
	}
}

func TestPreKeyMessagesUntilAnswered(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	alice, m := mustEncrypt(t, alice, "not answered yet")
	if m.Type != PreKey || alice.HasReceived() {
		t.Errorf("before an answer: %v", m.Type)
	}
	parsed, err := ParsePreKeyMessage(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	if alice.PreKeys() != (PreKeys{Identity: parsed.IdentityKey, Base: parsed.BaseKey, OneTime: parsed.OneTimeKey}) {
		t.Error("the pre-key message names other keys than the session")
	}
	_, answer := mustEncrypt(t, bob, "answer")
	if answer.Type != Normal {
		t.Errorf("an answer: %v", answer.Type)
	}
	alice, _ = mustDecrypt(t, alice, answer)
	if _, m = mustEncrypt(t, alice, "answered"); m.Type != Normal || !alice.HasReceived() {
		t.Errorf("after an answer: %v", m.Type)
	}
	if !alice.Initiated() || bob.Initiated() {
		t.Error("it is Alice who initiated")
	}
}

// TestInboundThatDecryptedNothing: by the rule its messages are pre-key
// messages, and Alice, whose session it is, can read them.
func TestInboundThatDecryptedNothing(t *testing.T) {
	a, b := newParty(t), newParty(t)
	alice, err := NewOutbound(rand.Reader, a.identity, b.identity.Public(), b.oneTime.Public())
	if err != nil {
		t.Fatal(err)
	}
	alice, first := mustEncrypt(t, alice, "first")
	parsed, err := ParsePreKeyMessage(first.Body)
	if err != nil {
		t.Fatal(err)
	}
	bob, err := NewInbound(b.identity, b.oneTime, parsed)
	if err != nil {
		t.Fatal(err)
	}
	bob, m := mustEncrypt(t, bob, "early")
	if m.Type != PreKey {
		t.Errorf("type %v, want pre-key", m.Type)
	}
	if _, text := mustDecrypt(t, alice, m); string(text.Bytes) != "early" {
		t.Errorf("decrypted %q", text.Bytes)
	}
	if bob, err = DecodeSession(mustRecord(t, bob)); err != nil {
		t.Fatalf("its record: %v", err)
	}
	mustDecrypt(t, bob, first)
}

func TestKeyIsGoneAfterUse(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	_, m := burst(t, bob, 3)
	alice, _ = mustDecrypt(t, alice, m[2])
	refused(t, alice, mustParse(t, m[2]), ErrKeyGone)
	alice, _ = mustDecrypt(t, alice, m[0])
	refused(t, alice, mustParse(t, m[0]), ErrKeyGone)
	if got := alice.ReceiverChains()[0].Skipped; got != 1 {
		t.Errorf("%d skipped keys left, want 1", got)
	}
	alice, _ = mustDecrypt(t, alice, m[1])
	refused(t, alice, mustParse(t, m[1]), ErrKeyGone)
}

// TestSkippedKeySurvivesForgery: a forged message at the index of a skipped
// key must not use the key up.
func TestSkippedKeySurvivesForgery(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	_, m := burst(t, bob, 2)
	alice, _ = mustDecrypt(t, alice, m[1])
	forged := Message{m[0].Type, bytes.Clone(m[0].Body)}
	forged.Body[len(forged.Body)-1] ^= 1
	refused(t, alice, mustParse(t, forged), ErrMAC)
	mustDecrypt(t, alice, m[0])
}

func TestGapOnKnownChain(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	_, m := burst(t, bob, 1+MaxGap+2)
	alice, _ = mustDecrypt(t, alice, m[0])
	refused(t, alice, mustParse(t, m[1+MaxGap+1]), ErrGap)
	mustDecrypt(t, alice, m[1+MaxGap])

	var gap *GapError
	if _, _, err := alice.Decrypt(mustParse(t, m[1+MaxGap+1])); !errors.As(err, &gap) || *gap != (GapError{Chain: 1, Message: 2002}) {
		t.Errorf("gap error %v, want chain 1, message 2002", err)
	}
}

func TestGapOnNewChain(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	_, m := burst(t, bob, MaxGap+2)
	refused(t, alice, mustParse(t, m[MaxGap+1]), ErrGap)
	alice, _ = mustDecrypt(t, alice, m[MaxGap])
	if got := alice.ReceiverChains()[0]; got.Index != MaxGap+1 || got.Skipped != MaxSkippedKeys {
		t.Errorf("chain %+v after a leap of 2000", got)
	}
}

func TestFortySkippedKeysOldestDropped(t *testing.T) {
	for _, c := range []struct {
		name     string
		received []int // what arrives first, of 100 messages
		gone     []int
		there    []int
	}{
		{"40 skipped", []int{40}, nil, []int{0, 39}},
		{"41 skipped", []int{41}, []int{0}, []int{1, 40}},
		{"20 and 20", []int{20, 41}, nil, []int{0, 19, 21, 40}},
		{"20 and 21", []int{20, 42}, []int{0}, []int{1, 19, 21, 41}},
		{"20 and 40", []int{20, 61}, []int{0, 19}, []int{21, 60}},
		{"room after use", []int{40, 0, 42}, nil, []int{1, 39, 41}},
		{"next in order", []int{0, 1}, []int{0}, []int{2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			alice, bob := openPair(t, rand.Reader)
			_, m := burst(t, bob, 100)
			for _, i := range c.received {
				alice, _ = mustDecrypt(t, alice, m[i])
			}
			for _, i := range c.gone {
				refused(t, alice, mustParse(t, m[i]), ErrKeyGone)
			}
			for _, i := range c.there {
				alice, _ = mustDecrypt(t, alice, m[i])
			}
		})
	}
}

// TestSkippedKeysAreKeptPerChain: 5 chains of 40 keys.
func TestSkippedKeysAreKeptPerChain(t *testing.T) {
	full := fullSession(t)
	for i, c := range full.ReceiverChains() {
		if c.Skipped != MaxSkippedKeys {
			t.Errorf("chain %d keeps %d keys", i, c.Skipped)
		}
	}
	if got := len(mustRecord(t, full)); got != 7776 {
		t.Errorf("the largest record has %d bytes, want 7776", got)
	}
}

func TestSixthChainDropsTheOldest(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	var late []Message // one of each of Bob's chains
	for range MaxReceiverChains + 1 {
		var m []Message
		bob, m = burst(t, bob, 2)
		late = append(late, m[0])
		alice, _ = mustDecrypt(t, alice, m[1])
		var turn Message
		alice, turn = mustEncrypt(t, alice, "turn")
		bob, _ = mustDecrypt(t, bob, turn)
	}
	if got := len(alice.ReceiverChains()); got != MaxReceiverChains {
		t.Fatalf("%d receiver chains, want 5", got)
	}
	if newest := mustParse(t, late[5]).RatchetKey; alice.ReceiverChains()[0].RatchetKey != newest {
		t.Error("the newest chain is not the first")
	}
	if oldest := mustParse(t, late[0]); alice.HasReceiverChain(oldest.RatchetKey) {
		t.Error("the oldest of six chains is still there")
	} else {
		refused(t, alice, oldest, ErrMAC) // taken for a new chain
	}
	for _, m := range late[1:] {
		alice, _ = mustDecrypt(t, alice, m)
	}
}

func TestSenderChainEndsWhenThePeerTurns(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	before, _ := alice.SenderChain()
	bob, m := mustEncrypt(t, bob, "turn")
	alice, _ = mustDecrypt(t, alice, m)
	if _, active := alice.SenderChain(); active {
		t.Fatal("the sender chain outlived the turn")
	}
	// In this state nobody can know a key of ours to begin a new chain with.
	_, stranger := openPair(t, rand.Reader)
	_, foreign := mustEncrypt(t, stranger, "foreign")
	refused(t, alice, mustParse(t, foreign), ErrUnknownChain)

	alice, m = mustEncrypt(t, alice, "turn back")
	if after, _ := alice.SenderChain(); after.RatchetKey == before.RatchetKey || after.Index != 1 {
		t.Errorf("sender chain %+v after turning", after)
	}
	mustDecrypt(t, bob, m)
}

// TestUnverifiedMessageAddsNoChain: a message with an unknown ratchet key that
// does not verify leaves no trace.
func TestUnverifiedMessageAddsNoChain(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	_, stranger := openPair(t, rand.Reader)
	_, foreign := mustEncrypt(t, stranger, "foreign")
	refused(t, alice, mustParse(t, foreign), ErrMAC)
	_, m := mustEncrypt(t, bob, "genuine")
	alice, _ = mustDecrypt(t, alice, m)
	if alice.HasReceiverChain(mustParse(t, foreign).RatchetKey) {
		t.Error("the foreign chain is there")
	}
}

func TestExhaustedChains(t *testing.T) {
	_, bob := openPair(t, rand.Reader)
	bob, _ = mustEncrypt(t, bob, "turn")
	last := *bob.state.Peek()
	last.sender.chain.index = maxIndex - 1
	bob, m := mustEncrypt(t, wrap(last), "last")
	if parsed := mustParse(t, m); parsed.Index != maxIndex-1 {
		t.Errorf("index %d, want 2^32-2", parsed.Index)
	}
	if _, _, err := bob.Encrypt(rand.Reader, nil); !errors.Is(err, ErrExhausted) {
		t.Errorf("Encrypt: %v, want ErrExhausted", err)
	}

	receiver := *bob.state.Peek()
	receiver.receivers = slices.Clone(receiver.receivers)
	chain := &receiver.receivers[0]
	chain.chain.index = maxIndex - 1
	key, _ := chain.chain.step()
	bob = wrap(receiver)
	forge := func(index uint32) NormalMessage {
		return mustParse(t, Message{Normal, forgeMessage(chain.ratchet, index, messageKey(key), "last")})
	}
	refused(t, bob, forge(maxIndex), ErrExhausted)
	bob, text, err := bob.Decrypt(forge(maxIndex - 1))
	if err != nil || string(text.Bytes) != "last" {
		t.Fatalf("the last message: %v", err)
	}
	refused(t, bob, forge(maxIndex), ErrExhausted)
	refused(t, bob, forge(maxIndex-1), ErrKeyGone)
}

// forgeMessage makes a normal message under any key.
func forgeMessage(ratchetKey PublicKey, index uint32, key messageKey, text string) []byte {
	return key.appendNormal(nil, &ratchetKey, index, []byte(text))
}

func TestLowOrderKeysOfPeers(t *testing.T) {
	a, b := newParty(t), newParty(t)
	good := b.identity.Public()
	alice, bob := openPair(t, rand.Reader)
	for _, bad := range lowOrder() {
		if _, err := NewOutbound(rand.Reader, a.identity, bad, good); !errors.Is(err, ErrZeroSecret) {
			t.Errorf("NewOutbound to %v: %v, want ErrZeroSecret", bad, err)
		}
		if _, err := NewOutbound(rand.Reader, a.identity, good, bad); !errors.Is(err, ErrZeroSecret) {
			t.Errorf("NewOutbound with one-time key %v: %v, want ErrZeroSecret", bad, err)
		}
		m := PreKeyMessage{OneTimeKey: b.oneTime.Public(), BaseKey: bad, IdentityKey: good}
		if _, err := NewInbound(b.identity, b.oneTime, m); !errors.Is(err, ErrZeroSecret) {
			t.Errorf("NewInbound with base key %v: %v, want ErrZeroSecret", bad, err)
		}
		m.BaseKey, m.IdentityKey = good, bad
		if _, err := NewInbound(b.identity, b.oneTime, m); !errors.Is(err, ErrZeroSecret) {
			t.Errorf("NewInbound with identity key %v: %v, want ErrZeroSecret", bad, err)
		}
		refused(t, alice, mustParse(t, Message{Normal, forgeMessage(bad, 0, [32]byte{}, "x")}), ErrZeroSecret)

		poisoned := *bob.state.Peek()
		poisoned.receivers = []receiverChain{{ratchet: bad}}
		if _, _, err := wrap(poisoned).Encrypt(rand.Reader, nil); !errors.Is(err, ErrZeroSecret) {
			t.Errorf("Encrypt to ratchet key %v: %v, want ErrZeroSecret", bad, err)
		}
	}
}

func TestMessageKeyOpensItsMessageOnly(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	bob, first := mustEncrypt(t, bob, "first")
	_, second := mustEncrypt(t, bob, "second")
	_, text := mustDecrypt(t, alice, first)
	if got, err := text.Key.Open(mustParse(t, first)); err != nil || string(got) != "first" {
		t.Errorf("Open: %q, %v", got, err)
	}
	if _, err := text.Key.Open(mustParse(t, second)); !errors.Is(err, ErrMAC) {
		t.Errorf("Open of another message: %v, want ErrMAC", err)
	}
	if _, err := (MessageKey{}).Open(mustParse(t, first)); !errors.Is(err, ErrMAC) {
		t.Errorf("Open with no key: %v, want ErrMAC", err)
	}
	if b := (MessageKey{}).Append(nil); len(b) != 0 {
		t.Errorf("no key is written as %x", b)
	}
	for _, n := range []int{0, 31, 33} {
		if k, err := RestoreMessageKey(make([]byte, n)); !errors.Is(err, ErrMalformed) || !k.IsZero() {
			t.Errorf("a key of %d bytes: %v, want ErrMalformed", n, err)
		}
	}
}

// TestBadPaddingIsNotTold: a message whose MAC is right and whose padding is
// wrong fails as one whose MAC is wrong.
func TestBadPaddingIsNotTold(t *testing.T) {
	key := remoteMessageKey{1}
	c := key.cipher()
	body := appendNormalHeader(nil, &PublicKey{9}, 0, 16)
	// Its first block ends in 0, which no padding does.
	body = append(body, c.AppendEncrypted(nil, make([]byte, 16))[:16]...)
	mac := c.MAC(body)
	bad := mustParse(t, Message{Normal, append(bytes.Clone(body), mac[:]...)})
	mac[7] ^= 1
	forged := mustParse(t, Message{Normal, append(body, mac[:]...)})
	_, paddingErr := key.open(bad)
	_, macErr := key.open(forged)
	if !errors.Is(paddingErr, ErrMAC) || paddingErr.Error() != macErr.Error() {
		t.Errorf("bad padding: %v; bad MAC: %v", paddingErr, macErr)
	}
}

func TestEveryByteOfAMessageIsAuthenticated(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	_, m := mustEncrypt(t, bob, "text")
	for i := range m.Body {
		for bit := range 8 {
			body := bytes.Clone(m.Body)
			body[i] ^= 1 << bit
			parsed, err := ParseNormalMessage(body)
			if err != nil {
				continue
			}
			if _, _, err := alice.Decrypt(parsed); err == nil {
				t.Errorf("bit %d of byte %d does not matter", bit, i)
			}
		}
	}
}

func TestKeyPairsOfTheHandshake(t *testing.T) {
	a, b := newParty(t), newParty(t)
	alice, err := NewOutbound(rand.Reader, a.identity, b.identity.Public(), b.oneTime.Public())
	if err != nil {
		t.Fatal(err)
	}
	_, m := mustEncrypt(t, alice, "first")
	parsed, err := ParsePreKeyMessage(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, pairs := range map[string][2]KeyPair{
		"no identity":          {{}, b.oneTime},
		"no one-time key":      {b.identity, {}},
		"another one-time key": {b.identity, a.oneTime},
	} {
		if _, err := NewInbound(pairs[0], pairs[1], parsed); !errors.Is(err, ErrKeyPair) {
			t.Errorf("%s: %v, want ErrKeyPair", name, err)
		}
	}
	if _, err := NewOutbound(rand.Reader, KeyPair{}, b.identity.Public(), b.oneTime.Public()); !errors.Is(err, ErrKeyPair) {
		t.Errorf("NewOutbound without identity: %v, want ErrKeyPair", err)
	}
	wrong, err := NewInbound(a.identity, b.oneTime, parsed)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, wrong, parsed.Normal, ErrMAC)
}

func TestRandomSourceThatFails(t *testing.T) {
	a, b := newParty(t), newParty(t)
	broken := errors.New("no entropy")
	for _, have := range []int{0, 31, 32, 63} {
		source := io.MultiReader(strings.NewReader(strings.Repeat("x", have)), iotest.ErrReader(broken))
		if _, err := NewOutbound(source, a.identity, b.identity.Public(), b.oneTime.Public()); !errors.Is(err, broken) {
			t.Errorf("NewOutbound with %d random bytes: %v, want the source's error", have, err)
		}
	}
	_, bob := openPair(t, rand.Reader)
	before := mustRecord(t, bob)
	if _, _, err := bob.Encrypt(iotest.ErrReader(broken), nil); !errors.Is(err, broken) {
		t.Errorf("Encrypt: %v, want the source's error", err)
	}
	if !bytes.Equal(mustRecord(t, bob), before) {
		t.Error("a failed Encrypt changed the session")
	}
	// In a chain no randomness is needed.
	bob, _ = mustEncrypt(t, bob, "turn")
	if _, _, err := bob.Encrypt(iotest.ErrReader(broken), nil); err != nil {
		t.Errorf("Encrypt in a chain: %v", err)
	}
}

func TestZeroValues(t *testing.T) {
	var none Session
	if _, _, err := none.Encrypt(rand.Reader, nil); !errors.Is(err, ErrNoSession) {
		t.Errorf("Encrypt: %v, want ErrNoSession", err)
	}
	if _, _, err := none.Decrypt(NormalMessage{}); !errors.Is(err, ErrNoSession) {
		t.Errorf("Decrypt: %v, want ErrNoSession", err)
	}
	if _, err := none.AppendBinary(nil); !errors.Is(err, ErrNoSession) {
		t.Errorf("AppendBinary: %v, want ErrNoSession", err)
	}
	_, sending := none.SenderChain()
	if !none.IsZero() || none.Initiated() || none.HasReceived() || sending || none.ReceiverChains() != nil ||
		none.HasReceiverChain(PublicKey{}) || none.RecordSize() != 0 {
		t.Error("the zero Session reports something")
	}
	alice, bob := openPair(t, rand.Reader)
	refused(t, bob, NormalMessage{}, ErrUnknownChain)
	refused(t, alice, NormalMessage{}, ErrZeroSecret)
	refused(t, bob, NormalMessage{RatchetKey: bob.ReceiverChains()[0].RatchetKey, Index: 5}, ErrMalformed)
}
