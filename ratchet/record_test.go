package ratchet

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"testing"
)

func TestDecodeSession(t *testing.T) {
	for _, s := range recordSeeds() {
		t.Run(s.Name, func(t *testing.T) {
			got, err := DecodeSession(s.In)
			if !errors.Is(err, s.Want) {
				t.Fatalf("%v, want %v", err, s.Want)
			}
			if err != nil {
				if !got.IsZero() {
					t.Error("a refused record gave a session")
				}
				return
			}
			if again := mustRecord(t, got); !bytes.Equal(again, s.In) {
				t.Errorf("written again it is %x", again)
			}
			if got.RecordSize() != len(s.In) {
				t.Errorf("RecordSize = %d, want %d", got.RecordSize(), len(s.In))
			}
		})
	}
}

// TestRecordLayout spells the record out: what is written today must be read for good.
func TestRecordLayout(t *testing.T) {
	k := func(first, last string) string { return first + hex.EncodeToString(make([]byte, 30)) + last }
	want := "01" + "07" +
		k("01", "01") + k("02", "02") + k("03", "03") + // I_A, E_A, E_B
		k("04", "04") + // root
		k("05", "05") + k("06", "06") + k("07", "07") + "00000008" + // sender
		"02" +
		k("09", "09") + k("0a", "0a") + "0000000b" +
		"02" + "00000003" + k("0c", "0c") + "0000000a" + k("0d", "0d") +
		k("0e", "0e") + k("0f", "0f") + "ffffffff" +
		"00"
	if got := hex.EncodeToString(sampleWith(func(*state) {})); got != want {
		t.Errorf("record\n%s, want\n%s", got, want)
	}
}

func TestRecordOfNewSessions(t *testing.T) {
	a, b := newParty(t), newParty(t)
	alice, err := NewOutbound(rand.Reader, a.identity, b.identity.Public(), b.oneTime.Public())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(mustRecord(t, alice)); got != 231 {
		t.Errorf("a new outbound session takes %d bytes, want 231", got)
	}
}

func TestEveryPrefixOfARecordIsRefused(t *testing.T) {
	record := sampleWith(func(*state) {})
	for n := range record {
		if _, err := DecodeSession(record[:n]); !errors.Is(err, ErrFormat) {
			t.Errorf("%d bytes of a record: %v, want ErrFormat", n, err)
		}
	}
}

// TestDecodeSessionCopies: the caller may use its buffer again.
func TestDecodeSessionCopies(t *testing.T) {
	record := sampleWith(func(*state) {})
	buf := bytes.Clone(record)
	s, err := DecodeSession(buf)
	if err != nil {
		t.Fatal(err)
	}
	clear(buf)
	if !bytes.Equal(mustRecord(t, s), record) {
		t.Error("the session refers to the record's bytes")
	}
}

func TestAppendBinaryAppends(t *testing.T) {
	alice, _ := openPair(t, rand.Reader)
	b, err := alice.AppendBinary([]byte("before"))
	if err != nil || !bytes.Equal(b, append([]byte("before"), mustRecord(t, alice)...)) {
		t.Errorf("appended %x, %v", b, err)
	}
}
