package upkeep_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestInspectShowsNoSecrets prints an inspection, and an account's error paths,
// and looks for the bytes of every private key and message key in the store.
func TestInspectShowsNoSecrets(t *testing.T) {
	w := newFixture(t)
	in, err := w.Inspect(t.Context())
	must(t, err)
	text := fmt.Sprintf("%v %+v %#v", in, in, in)
	encoded, err := json.Marshal(in)
	must(t, err)
	text += string(encoded)
	if !strings.Contains(text, w.them.String()) {
		t.Fatal("the inspection does not name the peer")
	}
	pair, err := w.key(false).Pair()
	must(t, err)
	kept, ok := w.receipt().Key()
	if !ok {
		t.Fatal("the receipt keeps no key")
	}
	identity, oneTime := w.self.IdentityPair().Private(), pair.Private()
	for name, secret := range map[string][]byte{
		"identity key": identity[:], "one-time key": oneTime[:], "message key": kept.Append(nil),
	} {
		for _, form := range []string{hex.EncodeToString(secret), fmt.Sprint(secret), string(secret)} {
			if strings.Contains(text, form) {
				t.Errorf("the inspection shows the %s", name)
			}
		}
	}
}
