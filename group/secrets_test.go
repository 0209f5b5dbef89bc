package group

import (
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/record/recordtest"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/ratchet"
)

// public are the byte containers that may be seen.
var public = []any{SessionID{}, account.VerifyKey{}, ratchet.PublicKey{}, ratchet.SessionID{}, wire(nil)}

// values are all exported types.
var values = []any{
	Key{}, Sender{}, Message{}, SessionID{}, VersionError{}, IndexError{},
	Inbound{}, Reached{}, Copy{}, Source{}, Refused{}, Outbound{}, Settings{}, Share{}, Withheld{}, WithheldError{},
}

func TestNoKeyIsExposed(t *testing.T) {
	// The text is what it is for.
	if found := secret.Exposed(Opened{}, append(public, []byte(nil))...); len(found) > 0 {
		t.Errorf("Opened shows %q", found)
	}
	for _, v := range values {
		if found := secret.Exposed(v, public...); len(found) > 0 {
			t.Errorf("%T shows %q", v, found)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s := mustSender(t, 12)
	k := s.Key()
	st := s.state.Peek()
	expanded := st.signing.Expanded()
	type holder struct {
		s Sender
		k Key
	}
	c := NewCopy(k, Source{Provenance: Direct})
	in := mustInbound(t, c)
	out := mustOutbound(t, s)
	for _, leak := range [][]byte{expanded[:32], expanded[32:], st.ratchet.parts[0][:], st.ratchet.parts[3][:]} {
		recordtest.Redacts(t, leak, s, &s, k, &k, []Key{k}, holder{s, k}, c, []Copy{c}, Refused{Copy: c}, in, &in, out, &out, []any{in, out})
	}
}
