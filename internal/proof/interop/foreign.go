package interop

import (
	"encoding/base64"
	"slices"

	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/id"
)

// moveKey encrypts the pickles that carry states between objects of one
// process.
const moveKey = "between two objects of one process"

// foreignSkipped is how many skipped keys goolm and libolm keep in all.
const foreignSkipped = 40

// foreignAccount drives an account of mautrix's olm interface.
type foreignAccount struct {
	olm.Account
	identity string
}

func newForeignAccount(a olm.Account) (Account, error) {
	_, curve, err := a.IdentityKeys()
	return foreignAccount{Account: a, identity: string(curve)}, err
}

func (a foreignAccount) IdentityKey() string { return a.identity }

func (a foreignAccount) OneTimeKeys(n int) ([]string, error) {
	a.MarkKeysAsPublished()
	if err := a.GenOneTimeKeys(uint(n)); err != nil {
		return nil, err
	}
	byID, err := a.Account.OneTimeKeys()
	if err != nil {
		return nil, err
	}
	a.MarkKeysAsPublished()
	ids := make([]string, 0, len(byID))
	for keyID := range byID {
		ids = append(ids, keyID)
	}
	slices.Sort(ids)
	keys := make([]string, len(ids))
	for i, keyID := range ids {
		keys[i] = string(byID[keyID])
	}
	return keys, nil
}

func (a foreignAccount) Outbound(identityKey, oneTimeKey string) (Session, error) {
	s, err := a.NewOutboundSession(id.Curve25519(identityKey), id.Curve25519(oneTimeKey))
	if err != nil {
		return nil, err
	}
	return newForeignSession(s, true), nil
}

func (a foreignAccount) Inbound(from string, m Message) (Session, error) {
	curve := id.Curve25519(from)
	s, err := a.NewInboundSessionFrom(&curve, encode(m.Body))
	if err != nil {
		return nil, err
	}
	return newForeignSession(s, false), nil
}

func (a foreignAccount) InboundAny(m Message) (Session, error) {
	s, err := a.NewInboundSession(encode(m.Body))
	if err != nil {
		return nil, err
	}
	return newForeignSession(s, false), nil
}

func (a foreignAccount) Consume(s Session) error {
	return a.RemoveOneTimeKeys(s.(foreignSession).Session)
}

func (a foreignAccount) State() (pickle.Account, error) {
	pickled, err := a.Pickle([]byte(moveKey))
	if err != nil {
		return pickle.Account{}, err
	}
	raw, err := pickle.Open([]byte(moveKey), pickled)
	if err != nil {
		return pickle.Account{}, err
	}
	return pickle.DecodeAccount(raw)
}

// foreignSession drives a session of mautrix's olm interface.
type foreignSession struct {
	olm.Session
	initiated   bool
	oldestFirst bool // how this implementation orders skipped keys in a pickle
}

func (s foreignSession) ID() string { return string(s.Session.ID()) }

func (s foreignSession) Encrypt(plaintext []byte) (Message, error) {
	typ, body, err := s.Session.Encrypt(plaintext)
	if err != nil {
		return Message{}, err
	}
	raw, err := base64.RawStdEncoding.AppendDecode(nil, body)
	return Message{Type: int(typ), Body: raw}, err
}

func (s foreignSession) Decrypt(m Message) ([]byte, error) {
	return s.Session.Decrypt(encode(m.Body), id.OlmMsgType(m.Type))
}

func (s foreignSession) Matches(from string, m Message) (bool, error) {
	return s.MatchesInboundSessionFrom(from, encode(m.Body))
}

func (s foreignSession) State() (pickle.Session, error) {
	pickled, err := s.Pickle([]byte(moveKey))
	if err != nil {
		return pickle.Session{}, err
	}
	raw, err := pickle.Open([]byte(moveKey), pickled)
	if err != nil {
		return pickle.Session{}, err
	}
	state, err := pickle.DecodeSession(raw)
	state.Initiated = s.initiated
	if s.oldestFirst {
		slices.Reverse(state.Skipped)
	}
	return state, err
}

// sealSession makes the pickle that an implementation can load. Given more
// than 40 skipped keys, libolm would keep the first 39 and the last, and goolm
// the newest 40: here it is the newest for both.
func sealSession(state pickle.Session, oldestFirst bool) ([]byte, error) {
	state.Skipped = slices.Clone(state.Skipped[:min(len(state.Skipped), foreignSkipped)])
	if oldestFirst {
		slices.Reverse(state.Skipped)
	}
	return pickle.Seal([]byte(moveKey), state.Encode())
}

func encode(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }
