package interop

import (
	"bytes"
	"encoding/binary"
	"testing"

	ours "github.com/pawlkv/pawl/internal/pickle/libolm"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	"github.com/pawlkv/pawl/ratchet"
	"maunium.net/go/mautrix/crypto/goolm/account"
	"maunium.net/go/mautrix/crypto/olm"
)

// programs restore an account from a pickle under moveKey.
var programs = map[string]func(pickled []byte) (olm.Account, error){
	"goolm": func(pickled []byte) (olm.Account, error) { return account.AccountFromPickled(pickled, []byte(moveKey)) },
}

// TestOlderPickles lets the others read accounts of the older versions that
// internal/pickle/libolm reads, and compares what each finds in them.
func TestOlderPickles(t *testing.T) {
	for name, restore := range programs {
		for version := uint32(2); version <= 4; version++ {
			state := accountState(t)
			raw := olderAccount(state, version)
			sealed, err := pickle.Seal([]byte(moveKey), raw)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := restore(bytes.Clone(sealed)) // it decodes in place
			if err != nil {
				t.Fatalf("%s refuses version %d: %v", name, version, err)
			}
			repickled, err := theirs.Pickle([]byte(moveKey))
			if err != nil {
				t.Fatal(err)
			}
			want, err := ours.Account([]byte(moveKey), string(repickled))
			if err != nil {
				t.Fatalf("pickled again by %s: %v", name, err)
			}
			got, err := ours.Account([]byte(moveKey), string(sealed))
			if err != nil {
				t.Fatalf("version %d: %v", version, err)
			}
			if got.Identity.Public() != want.Identity.Public() || got.Signing.Public() != want.Signing.Public() || got.LastID != want.LastID {
				t.Errorf("version %d: another account than %s finds", version, name)
			}
			for i, keys := range [][2]int{{len(got.OneTimeKeys), len(want.OneTimeKeys)}, {len(got.Fallbacks), len(want.Fallbacks)}} {
				if keys[0] != keys[1] {
					t.Errorf("version %d: %d keys (fallback keys: %v), and %s finds %d", version, keys[0], i == 1, name, keys[1])
				}
			}
		}
	}
}

// accountState is an account with one-time keys and two fallback keys.
func accountState(t *testing.T) pickle.Account {
	t.Helper()
	a, err := account.NewAccount()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.GenOneTimeKeys(4); err != nil {
		t.Fatal(err)
	}
	wrapped, err := newForeignAccount(a)
	if err != nil {
		t.Fatal(err)
	}
	state, err := wrapped.State()
	if err != nil {
		t.Fatal(err)
	}
	for i := range byte(2) {
		pair := ratchet.NewKeyPair(ratchet.PrivateKey{1, i})
		state.LastID++
		state.FallbackKeys = append(state.FallbackKeys, pickle.OneTimeKey{ID: state.LastID, Published: true, Public: pair.Public(), Private: pair.Private()})
	}
	return state
}

// olderAccount writes an account in a version from 2 to 4.
func olderAccount(a pickle.Account, version uint32) []byte {
	fallbacks := a.FallbackKeys
	a.FallbackKeys = nil
	raw := a.Encode()
	head, last := raw[:len(raw)-5], raw[len(raw)-4:] // without the number of fallback keys
	b := append(binary.BigEndian.AppendUint32(nil, version), head[4:]...)
	if version == 4 {
		b = append(b, byte(len(fallbacks)))
	}
	for _, k := range fallbacks {
		if version > 2 {
			b = binary.BigEndian.AppendUint32(b, k.ID)
			b = append(append(append(b, 1), k.Public[:]...), k.Private[:]...)
		}
	}
	return append(b, last...)
}
