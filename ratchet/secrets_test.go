package ratchet

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/secret"
)

// TestNoKeyIsExposed walks every exported type. What is public is named: keys
// and ids that go on the wire, and message bytes.
func TestNoKeyIsExposed(t *testing.T) {
	public := []any{PublicKey{}, SessionID{}, wire(nil)}
	for _, v := range []any{
		Session{}, KeyPair{}, MessageKey{}, NormalMessage{}, PreKeyMessage{}, ChainInfo{},
		GapError{}, Parts{}, SenderPart{}, ReceiverPart{}, SkippedPart{}, VersionError{}, PublicKey{}, PreKeys{}, SessionID{}, MessageType(0),
	} {
		if found := secret.Exposed(v, public...); len(found) > 0 {
			t.Errorf("%T shows %q", v, found)
		}
	}
	if found := secret.Exposed(struct{ K PrivateKey }{}, public...); len(found) != 1 {
		t.Errorf("a private key in the open is found as %q", found)
	}
	// The bytes of these two are what they are for.
	for _, v := range []any{Message{}, Plaintext{}} {
		if found := secret.Exposed(v, append(public, []byte(nil))...); len(found) > 0 {
			t.Errorf("%T shows %q", v, found)
		}
	}
}

// TestSecretsAreNotPrinted prints values that hold secrets and looks for the bytes.
func TestSecretsAreNotPrinted(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	_, m := mustEncrypt(t, bob, "the plaintext")
	_, text := mustDecrypt(t, alice, m)
	pair := newParty(t).identity
	private, key := pair.Private(), text.Key.Append(nil)
	st := alice.state.Peek()
	leaks := []string{"the plaintext", hex.EncodeToString([]byte("the plaintext"))}
	for _, b := range [][]byte{private[:], key, st.root[:], st.sender.ratchet.private[:], st.sender.chain.key[:]} {
		leaks = append(leaks, hex.EncodeToString(b), base64.RawStdEncoding.EncodeToString(b), strings.Trim(fmt.Sprint(b), "[]"))
	}
	type holder struct {
		session Session
		pair    KeyPair
		key     MessageKey
	}
	for _, v := range []any{alice, &alice, pair, private, &private, text, text.Key, holder{alice, pair, text.Key}, []Session{alice}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
			out := fmt.Sprintf(verb, v)
			for _, leak := range leaks {
				if strings.Contains(out, leak) {
					t.Errorf("%s of %T shows a secret", verb, v)
				}
			}
		}
		if _, ok := v.(holder); ok {
			continue // encoding/json leaves unexported fields out
		}
		if _, err := json.Marshal(v); !errors.Is(err, secret.ErrMarshal) {
			t.Errorf("JSON of %T: %v, want ErrMarshal", v, err)
		}
	}
}
