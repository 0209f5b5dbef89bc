package ratchet

import (
	"bytes"
	"errors"
	"testing"
)

// Whatever a decoder accepts means one thing: written in the encoding we emit
// it decodes to the same value, and that encoding stands for itself.

func FuzzParseNormalMessage(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := ParseNormalMessage(in)
		if err != nil {
			refusal(t, err)
			return
		}
		canonical := m.encoded()
		again, err := ParseNormalMessage(canonical)
		if err != nil {
			t.Fatalf("its own encoding: %v", err)
		}
		if again.RatchetKey != m.RatchetKey || again.Index != m.Index || !bytes.Equal(again.ciphertext, m.ciphertext) {
			t.Fatal("its own encoding is another message")
		}
		if len(canonical) > len(in) || !bytes.Equal(again.encoded(), canonical) {
			t.Fatal("the encoding is not canonical")
		}
	})
}

func FuzzParsePreKeyMessage(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := ParsePreKeyMessage(in)
		if err != nil {
			refusal(t, err)
			return
		}
		canonical := m.encoded()
		again, err := ParsePreKeyMessage(canonical)
		if err != nil {
			t.Fatalf("its own encoding: %v", err)
		}
		if again.SessionID() != m.SessionID() || !bytes.Equal(again.Normal.raw, m.Normal.raw) {
			t.Fatal("its own encoding is another message")
		}
		if len(canonical) > len(in) || !bytes.Equal(again.encoded(), canonical) {
			t.Fatal("the encoding is not canonical")
		}
	})
}

func refusal(t *testing.T, err error) {
	if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
		t.Fatalf("refused with %v", err)
	}
}

func FuzzDecodeSession(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := DecodeSession(in)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if !bytes.Equal(mustRecord(t, s), in) || s.RecordSize() != len(in) {
			t.Fatal("written again it is another record")
		}
		useSession(t, s)
	})
}

// useSession does with an accepted state what callers do; each step is one or
// fails with an error of its own.
func useSession(t *testing.T, s Session) {
	next, m, err := s.Encrypt(seeded(1), []byte("text"))
	if err != nil {
		if !errors.Is(err, ErrExhausted) && !errors.Is(err, ErrZeroSecret) {
			t.Fatalf("Encrypt: %v", err)
		}
		return
	}
	if _, err := DecodeSession(mustRecord(t, next)); err != nil {
		t.Fatalf("the state after Encrypt: %v", err)
	}
	for _, c := range append(s.ReceiverChains(), ChainInfo{RatchetKey: PublicKey{9}}) {
		forged := mustParse(t, Message{Normal, forgeMessage(c.RatchetKey, c.Index, [32]byte{}, "x")})
		if _, _, err := s.Decrypt(forged); err == nil {
			t.Fatal("a forged message decrypted")
		}
	}
	if mustParse(t, m).RatchetKey != sendingKey(t, next) {
		t.Fatal("the message names another chain than the state")
	}
}

func sendingKey(t *testing.T, s Session) PublicKey {
	chain, ok := s.SenderChain()
	if !ok {
		t.Fatal("no sender chain after Encrypt")
	}
	return chain.RatchetKey
}

func FuzzParsePublicKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		k, err := ParsePublicKey(string(in))
		again, _ := ParsePublicKey(k.String())
		if err == nil && (again != k || len(in) != 43 && string(in) != k.String()+"=") || err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("%q is read as %v, %v", in, k, err)
		}
	})
}

func FuzzParseSessionID(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		id, err := ParseSessionID(string(in))
		if err == nil && id.String() != string(in) || err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("%q is read as %v, %v", in, id, err)
		}
	})
}

// FuzzDecrypt hands anything to both ends of a session: nothing that they did
// not make may decrypt, and nothing that fails may change them.
func FuzzDecrypt(f *testing.F) {
	alice, bob := openPair(f, seeded(1))
	bob, genuine, err := bob.Encrypt(seeded(2), []byte("genuine"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(genuine.Body)
	records := [][]byte{mustRecord(f, alice), mustRecord(f, bob)}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := ParseNormalMessage(in)
		if err != nil {
			return
		}
		for i, s := range []Session{alice, bob} {
			_, text, err := s.Decrypt(m)
			if err == nil && (i != 0 || !bytes.Equal(in, genuine.Body) || string(text.Bytes) != "genuine") {
				t.Fatalf("%x decrypts", in)
			}
			if !bytes.Equal(mustRecord(t, s), records[i]) {
				t.Fatal("Decrypt changed the session")
			}
		}
	})
}
