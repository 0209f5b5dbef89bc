package vodozemac

import (
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/pickle"
)

// pickledInbound is a Megolm session that somebody sends in.
type pickledInbound struct {
	Ratchet *groupRatchet `json:"initial_ratchet"`
	Public  *bytes32      `json:"signing_key"`
	Signed  *bool         `json:"signing_key_verified"`
	Config  *config       `json:"config"`
}

// pickledOutbound is one that the account sends in.
type pickledOutbound struct {
	Ratchet *groupRatchet `json:"ratchet"`
	Signing *signingKey   `json:"signing_key"`
	Config  *config       `json:"config"`
}

type groupRatchet struct {
	Parts   *bytes128 `json:"inner"`
	Counter uint32    `json:"counter"`
}

// Inbound reads the pickle of a Megolm session that somebody sends in. It fails with
// pickle.ErrKey, pickle.ErrDamaged or pickle.ErrVersion.
func Inbound(key []byte, pickled string) (pickle.Inbound, error) {
	var p pickledInbound
	if err := open(key, pickled, &p); err != nil {
		return pickle.Inbound{}, err
	}
	if err := p.Config.check(); err != nil {
		return pickle.Inbound{}, err
	}
	if p.Public == nil || p.Signed == nil {
		return pickle.Inbound{}, missing("a member of the session")
	}
	k, err := p.Ratchet.key(*p.Public)
	return pickle.Inbound{Key: k, Signed: *p.Signed}, err
}

// Outbound reads the pickle of a Megolm session that the account sends in, and returns
// what reads its messages from now on. It is not sent in again: who has its key stands
// in no pickle. It fails with pickle.ErrKey, pickle.ErrDamaged or pickle.ErrVersion.
func Outbound(key []byte, pickled string) (pickle.Inbound, error) {
	var p pickledOutbound
	if err := open(key, pickled, &p); err != nil {
		return pickle.Inbound{}, err
	}
	if err := p.Config.check(); err != nil {
		return pickle.Inbound{}, err
	}
	if p.Signing == nil {
		return pickle.Inbound{}, missing("signing_key")
	}
	signing, err := p.Signing.restore()
	if err != nil {
		return pickle.Inbound{}, err
	}
	k, err := p.Ratchet.key(bytes32(signing.Public()))
	return pickle.Inbound{Key: k, Signed: true}, err
}

// key makes a key of its parts, as the export format has them.
func (r *groupRatchet) key(id bytes32) (group.Key, error) {
	if r == nil || r.Parts == nil {
		return group.Key{}, missing("a ratchet")
	}
	return pickle.GroupKey(*r.Parts, r.Counter, id)
}
