package group

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pawlkv/pawl/internal/message/messagetest"
	"github.com/pawlkv/pawl/internal/record/recordtest"
)

// encoded is the canonical encoding of a parsed message.
func (m *Message) encoded() []byte {
	b := appendHeader(nil, m.Index, len(m.ciphertext))
	return messagetest.Join(b, m.ciphertext, m.raw[len(m.raw)-72:])
}

// Whatever is accepted means one thing: written in the encoding we emit it
// decodes to the same value, and that encoding stands for itself.
func FuzzParseMessage(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := ParseMessage(in)
		if err != nil {
			refusal(t, err, ErrMalformed, ErrVersion)
			return
		}
		canonical := m.encoded()
		again, err := ParseMessage(canonical)
		if err != nil {
			t.Fatalf("its own encoding: %v", err)
		}
		if again.Index != m.Index || !bytes.Equal(again.ciphertext, m.ciphertext) {
			t.Fatal("its own encoding is another message")
		}
		if len(canonical) > len(in) || !bytes.Equal(again.encoded(), canonical) || len(canonical) != messageSize(m.Index, len(m.ciphertext)) {
			t.Fatal("the encoding is not canonical")
		}
	})
}

func refusal(t *testing.T, err error, want ...error) {
	for _, w := range want {
		if errors.Is(err, w) {
			return
		}
	}
	t.Fatalf("refused with %v", err)
}

func FuzzParseSharedKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		k, err := ParseSharedKey(in)
		if err != nil {
			refusal(t, err, ErrMalformed, ErrVersion, ErrSignature)
			return
		}
		if exported(t, k)[1:] != string(in[1:ExportedKeySize]) {
			t.Fatal("written again it is another key")
		}
	})
}

func FuzzParseExportedKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		k, err := ParseExportedKey(in)
		if err != nil {
			refusal(t, err, ErrMalformed, ErrVersion)
			return
		}
		if exported(t, k) != string(in) {
			t.Fatal("written again it is another key")
		}
		last := mustAdvance(t, k, maxIndex)
		if !k.Connected(last) || last.Index() != maxIndex {
			t.Fatal("the key advanced is not connected to itself")
		}
	})
}

// FuzzDecrypt hands anything to a key: nothing that the sender did not make may
// decrypt, and nothing may change the key.
func FuzzDecrypt(f *testing.F) {
	k := restored(sampleSender()).Key()
	before := exported(f, k)
	genuine := map[string]bool{}
	for _, s := range messageSeeds() {
		genuine[string(s.In)] = true
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := ParseMessage(in)
		if err != nil {
			return
		}
		if _, err := k.Decrypt(m); err == nil && !genuine[string(in)] {
			t.Fatalf("%x decrypts", in)
		}
		if exported(t, k) != before {
			t.Fatal("Decrypt changed the key")
		}
	})
}

func FuzzDecodeInbound(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, DecodeInbound) })
}

func FuzzDecodeOutbound(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, DecodeOutbound) })
}

func FuzzDecodeShare(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, DecodeShare) })
}

func FuzzDecodeWithheld(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, DecodeWithheld) })
}
