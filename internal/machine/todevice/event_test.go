package todevice

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// TestEventBytes: what is put together by hand is what package json makes of it.
func TestEventBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := byte(0)
		v, err := account.New(counter{&seed}, "@alice:example.org", "PHONE", time.Unix(1_700_000_000, 0))
		if err != nil {
			t.Fatal(err)
		}
		to := device.Keys{Name: device.Name{User: matrix.UserID(rapid.String().Draw(t, "user"))}, Curve25519: ratchet.PublicKey{1, 255}, Ed25519: account.VerifyKey{2, 254}}
		content, err := json.Marshal(map[string]string{rapid.String().Draw(t, "name"): rapid.String().Draw(t, "value")})
		if err != nil {
			t.Fatal(err)
		}
		own := json.RawMessage(`{"keys": {"a":"b"}}`)
		e, err := NewEvent(v, own, "m.<type>", content)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.plaintext(to)
		if err != nil {
			t.Fatal(err)
		}
		type key struct {
			Ed25519 string `json:"ed25519"`
		}
		want, err := encodeJSON(struct {
			Type          string          `json:"type"`
			Content       json.RawMessage `json:"content"`
			Sender        matrix.UserID   `json:"sender"`
			Recipient     matrix.UserID   `json:"recipient"`
			RecipientKeys key             `json:"recipient_keys"`
			Keys          key             `json:"keys"`
			Own           json.RawMessage `json:"sender_device_keys"`
		}{"m.<type>", content, v.User(), to.User, key{to.Ed25519.String()}, key{v.Fingerprint().String()}, own})
		if err != nil || string(got) != string(want) {
			t.Errorf("%s\nwant %s, %v", got, want, err)
		}
		m := ratchet.Message{Type: ratchet.MessageType(rapid.IntRange(0, 1).Draw(t, "kind")), Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body")}
		type sealed struct {
			Type ratchet.MessageType `json:"type"`
			Body string              `json:"body"`
		}
		want, err = encodeJSON(struct {
			Algorithm  string            `json:"algorithm"`
			SenderKey  string            `json:"sender_key"`
			Ciphertext map[string]sealed `json:"ciphertext"`
		}{account.Olm, v.Identity().String(), map[string]sealed{to.Curve25519.String(): {m.Type, unpadded.Encode(m.Body)}}})
		if got := encryptedEvent(v.Identity(), to.Curve25519, m); err != nil || string(got) != string(want) {
			t.Errorf("%s\nwant %s, %v", got, want, err)
		}
	})
	for _, content := range []string{``, `null`, `[]`, `7`, `{`, `{} {}`} {
		if _, err := NewEvent(account.Account{}, nil, "m.test", json.RawMessage(content)); !errors.Is(err, canonicaljson.ErrType) {
			t.Errorf("%q: %v, want ErrType", content, err)
		}
	}
}

// counter is no randomness.
type counter struct{ n *byte }

func (c counter) Read(b []byte) (int, error) {
	for i := range b {
		*c.n++
		b[i] = *c.n
	}
	return len(b), nil
}
