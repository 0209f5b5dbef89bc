package pickle

import (
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/ratchet"
)

func TestNothingIsExposed(t *testing.T) {
	for _, v := range []any{Account{}, Key{}, Inbound{}} {
		for _, path := range secret.Exposed(v, ratchet.PublicKey{}, account.VerifyKey{}, group.SessionID{}) {
			t.Errorf("exposed: %s", path)
		}
	}
}
