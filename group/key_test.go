package group

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestConversation: what is encrypted is read by a key from before it, in any
// order and as often as it comes, and by none from after it.
func TestConversation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := mustSender(t, rapid.Byte().Draw(t, "seed"))
		st := *s.state.Peek()
		st.ratchet.advance(drawIndex(t, "start") &^ (1 << 31))
		s = restored(st)
		keys := []Key{s.Key()}
		type sent struct {
			text string
			body []byte
		}
		var all []sent
		for i := range rapid.IntRange(1, 8).Draw(t, "messages") {
			text := fmt.Sprint("text ", i, string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "more")))
			var body []byte
			s, body = mustEncrypt(t, s, text)
			all, keys = append(all, sent{text, body}), append(keys, s.Key())
		}
		for range 12 {
			i := rapid.IntRange(0, len(all)-1).Draw(t, "message")
			j := rapid.IntRange(0, len(all)).Draw(t, "key")
			before := exported(t, keys[j])
			text, err := keys[j].Decrypt(mustParse(t, all[i].body))
			switch {
			case i >= j && (err != nil || string(text) != all[i].text):
				t.Fatalf("message %d with the key of %d: %q, %v", i, j, text, err)
			case i < j && !errors.Is(err, ErrTooEarly):
				t.Fatalf("message %d with the key of %d: %v, want ErrTooEarly", i, j, err)
			}
			if exported(t, keys[j]) != before {
				t.Fatal("decrypting changed the key")
			}
		}
	})
}

// TestChangedMessages: a message that was changed anywhere is not by the owner,
// and the key is as before, byte for byte.
func TestChangedMessages(t *testing.T) {
	s := mustSender(t, 2)
	k := s.Key()
	before := exported(t, k)
	_, body := mustEncrypt(t, s, "the text")
	for at := range body {
		changed := bytes.Clone(body)
		changed[at] ^= 1
		m, err := ParseMessage(changed)
		if err == nil {
			if _, err = k.Decrypt(m); !errors.Is(err, ErrSignature) {
				t.Errorf("byte %d changed: %v, want ErrSignature", at, err)
			}
		}
	}
	if exported(t, k) != before {
		t.Error("a message that failed changed the key")
	}
}

// TestOrderOfChecks: a wrong signature is told before anything else, and a signed
// message of another ratchet is ErrMAC.
func TestOrderOfChecks(t *testing.T) {
	s := mustSender(t, 3)
	_, body := mustEncrypt(t, s, "the text")
	m := mustParse(t, body)
	if _, err := mustSender(t, 4).Key().Decrypt(m); err != ErrSignature {
		t.Errorf("another session: %v, want ErrSignature", err)
	}
	late := mustAdvance(t, s.Key(), 5)
	bad := bytes.Clone(body)
	bad[len(bad)-1] ^= 1
	if _, err := late.Decrypt(mustParse(t, bad)); err != ErrSignature {
		t.Errorf("bad signature and too early: %v, want ErrSignature", err)
	}
	var early *IndexError
	if _, err := late.Decrypt(m); !errors.As(err, &early) || early.First != 5 || early.Index != 0 {
		t.Errorf("too early: %v", err)
	}
	st := *s.state.Peek()
	st.ratchet.parts[3][0] ^= 1
	if _, err := restored(st).Key().Decrypt(m); err != ErrMAC {
		t.Errorf("another ratchet: %v, want ErrMAC", err)
	}
	if _, err := (Key{}).Decrypt(m); err != ErrNoKey {
		t.Errorf("no key: %v, want ErrNoKey", err)
	}
	if _, err := s.Key().Decrypt(Message{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("no message: %v, want ErrMalformed", err)
	}
}

// TestBadPaddingIsNotTold: it fails as a wrong MAC does.
func TestBadPaddingIsNotTold(t *testing.T) {
	s := mustSender(t, 5)
	st := s.state.Peek()
	c := st.ratchet.cipher()
	body := appendHeader(nil, 0, 16)
	body = append(body, c.AppendEncrypted(nil, make([]byte, 16))[:16]...) // ends in 0, which no padding does
	mac := c.MAC(body)
	body = append(body, mac[:]...)
	signature := st.signing.Sign(body)
	if _, err := s.Key().Decrypt(mustParse(t, append(body, signature[:]...))); err != ErrMAC {
		t.Errorf("bad padding: %v, want ErrMAC", err)
	}
}

func TestFormatsOfKeys(t *testing.T) {
	s := mustSender(t, 6)
	for range 3 {
		s, _ = mustEncrypt(t, s, "skipped")
	}
	shared, err := s.Share()
	if err != nil || len(shared) != SharedKeySize {
		t.Fatalf("shared key of %d bytes, %v", len(shared), err)
	}
	fromShared, err := ParseSharedKey(shared)
	if err != nil || fromShared.Index() != 3 || fromShared.ID() != s.ID() || exported(t, fromShared) != exported(t, s.Key()) {
		t.Fatalf("the shared key came back as index %d, %v", fromShared.Index(), err)
	}
	export := []byte(exported(t, fromShared))
	again, err := ParseExportedKey(export)
	if err != nil || len(export) != ExportedKeySize || exported(t, again) != string(export) {
		t.Fatalf("the exported key of %d bytes came back as index %d, %v", len(export), again.Index(), err)
	}
	earlier := mustAdvance(t, mustSender(t, 6).Key(), 1)
	given, err := s.ShareAt(earlier)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := ParseSharedKey(given); err != nil || exported(t, k) != exported(t, earlier) {
		t.Errorf("given again at index 1: %d, %v", k.Index(), err)
	}
	if _, err := s.ShareAt(mustSender(t, 7).Key()); err != ErrNoKey {
		t.Errorf("sharing a key of another session: %v, want ErrNoKey", err)
	}
}

// TestSharedKeysAreSigned: a byte changed anywhere makes one that is not by its
// owner.
func TestSharedKeysAreSigned(t *testing.T) {
	shared, _ := mustSender(t, 8).Share()
	for at := 1; at < len(shared); at++ {
		changed := bytes.Clone(shared)
		changed[at] ^= 1
		if k, err := ParseSharedKey(changed); err != ErrSignature || !k.IsZero() {
			t.Errorf("byte %d changed: %v, want ErrSignature", at, err)
		}
	}
}

func TestConnected(t *testing.T) {
	k := mustSender(t, 9).Key()
	at := func(i uint32) Key { return mustAdvance(t, k, i) }
	forged := func(index uint32, part int) Key {
		r := *at(index).ratchet.Peek()
		r.parts[part][7] ^= 1
		return restored(sender{ratchet: r, signing: mustSender(t, 9).state.Peek().signing}).Key()
	}
	for _, test := range []struct {
		name string
		a, b Key
		want bool
	}{
		{"the same", at(4), at(4), true},
		{"earlier", at(0), at(1000), true},
		{"another at the same index", forged(4, 3), at(4), false},
		{"R_3 made up, within 256", forged(4, 3), at(255), false},
		{"R_3 made up, across 256", forged(4, 3), at(256), true}, // the reason for Connected's second sentence
		{"R_2 made up, across 256", forged(4, 2), at(256), false},
		{"R_2 made up, across 65536", forged(4, 2), at(1 << 16), true},
		{"R_0 made up", forged(4, 0), at(1 << 24), false},
		{"another session", at(0), mustSender(t, 10).Key(), false},
		{"none", at(0), Key{}, false},
	} {
		if test.a.Connected(test.b) != test.want || test.b.Connected(test.a) != test.want {
			t.Errorf("%s: connected is not %v both ways", test.name, test.want)
		}
	}
}

func TestSenderBytes(t *testing.T) {
	s, _ := mustEncrypt(t, mustSender(t, 11), "x")
	b, err := s.AppendBinary([]byte("before"))
	if err != nil || len(b) != len("before")+senderSize {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	b = b[len("before"):]
	back, err := DecodeSender(b)
	if err != nil {
		t.Fatal(err)
	}
	_, one := mustEncrypt(t, s, "same")
	_, two := mustEncrypt(t, back, "same")
	if !bytes.Equal(one, two) || back.ID() != s.ID() {
		t.Error("a sender read back makes another message")
	}
	for n := range b {
		if _, err := DecodeSender(b[:n]); !errors.Is(err, ErrFormat) {
			t.Errorf("%d bytes: %v, want ErrFormat", n, err)
		}
	}
	if _, err := DecodeSender(append([]byte{2}, b[1:]...)); !errors.Is(err, ErrFormat) {
		t.Errorf("version 2: %v, want ErrFormat", err)
	}
	zero := Sender{}
	_, err = zero.AppendBinary(nil)
	_, _, err2 := zero.Encrypt(nil)
	_, err3 := zero.Share()
	if err != ErrNoKey || err2 != ErrNoKey || err3 != ErrNoKey || !zero.Key().IsZero() || zero.ID() != (SessionID{}) || zero.Index() != 0 {
		t.Errorf("no sender: %v, %v, %v", err, err2, err3)
	}
}

func TestRandomnessThatEnds(t *testing.T) {
	for _, n := range []int{0, 127, 128, 159} {
		if s, err := NewSender(bytes.NewReader(make([]byte, n))); err == nil || !s.IsZero() {
			t.Errorf("%d random bytes: %v, want an error", n, err)
		}
	}
}
