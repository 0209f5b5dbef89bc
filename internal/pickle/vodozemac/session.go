package vodozemac

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/ratchet"
)

// pickledSession is an Olm session in JSON.
type pickledSession struct {
	Keys      *sessionKeys   `json:"session_keys"`
	Sending   *doubleRatchet `json:"sending_ratchet"`
	Receiving *struct {
		Chains []receiverChain `json:"inner"` // the newest last
	} `json:"receiving_chains"`
	Config *config `json:"config"`
}

type sessionKeys struct {
	Identity *bytes32 `json:"identity_key"`
	Base     *bytes32 `json:"base_key"`
	OneTime  *bytes32 `json:"one_time_key"`
}

// doubleRatchet is active while there is a chain to send with. Both have counts of
// turns, for logs.
type doubleRatchet struct {
	Type  string          `json:"type"` // "active" or "inactive"
	Count json.RawMessage `json:"ratchet_count"`

	// Of an active one.
	Parent json.RawMessage `json:"parent_ratchet_key"`
	Active *struct {
		Root *bytes32 `json:"root_key"`
		Key  *bytes32 `json:"ratchet_key"` // private
	} `json:"active_ratchet"`
	Chain *chainKey `json:"symmetric_key_ratchet"`

	// Of an inactive one.
	Root *struct {
		Key *bytes32 `json:"key"`
	} `json:"root_key"`
	Theirs *bytes32 `json:"ratchet_key"` // the peer's newest
}

// chainKey is the key of a chain, or of a skipped message, at an index.
type chainKey struct {
	Key   *bytes32 `json:"key"`
	Index uint64   `json:"index"`
}

type receiverChain struct {
	Ratchet *bytes32        `json:"ratchet_key"`
	Chain   *chainKey       `json:"hkdf_ratchet"`
	Count   json.RawMessage `json:"ratchet_count"`
	Skipped *struct {
		Keys []chainKey `json:"inner"`
	} `json:"skipped_message_keys"`
}

// Session reads the pickle of an Olm session of the account with the identity key
// ours. It fails with pickle.ErrKey, pickle.ErrDamaged or pickle.ErrVersion.
func Session(key []byte, pickled string, ours ratchet.PublicKey) (ratchet.Session, error) {
	var p pickledSession
	if err := open(key, pickled, &p); err != nil {
		return ratchet.Session{}, err
	}
	if err := p.Config.check(); err != nil {
		return ratchet.Session{}, err
	}
	if k := p.Keys; k == nil || k.Identity == nil || k.Base == nil || k.OneTime == nil || p.Sending == nil || p.Receiving == nil {
		return ratchet.Session{}, missing("a member of the session")
	}
	parts, err := p.parts(ours)
	if err != nil {
		return ratchet.Session{}, err
	}
	return pickle.SessionFrom(parts)
}

func (p *pickledSession) parts(ours ratchet.PublicKey) (parts ratchet.Parts, err error) {
	parts.Keys = ratchet.PreKeys{
		Identity: ratchet.PublicKey(*p.Keys.Identity), Base: ratchet.PublicKey(*p.Keys.Base), OneTime: ratchet.PublicKey(*p.Keys.OneTime),
	}
	parts.Initiated = parts.Keys.Identity == ours
	parts.Received = len(p.Receiving.Chains) > 0
	if parts.Root, parts.Sender, err = p.Sending.parts(); err != nil {
		return parts, err
	}
	if len(p.Receiving.Chains) > ratchet.MaxReceiverChains {
		return parts, pickle.Damaged("%d chains to receive, at most %d", len(p.Receiving.Chains), ratchet.MaxReceiverChains)
	}
	for _, c := range slices.Backward(p.Receiving.Chains) {
		part, err := c.part()
		if err != nil {
			return parts, err
		}
		parts.Receivers = append(parts.Receivers, part)
	}
	// What an inactive ratchet goes on from is the newest chain's key.
	if t := p.Sending.Theirs; parts.Sender == nil && (len(parts.Receivers) == 0 || parts.Receivers[0].Ratchet != ratchet.PublicKey(*t)) {
		return parts, pickle.Damaged("the newest chain is not the one that was received last")
	}
	return parts, nil
}

func (d *doubleRatchet) parts() (root ratchet.Secret, sender *ratchet.SenderPart, err error) {
	switch d.Type {
	case "active":
		if d.Active == nil || d.Active.Root == nil || d.Active.Key == nil {
			return root, nil, missing("a member of the active ratchet")
		}
		key, index, err := d.Chain.at()
		pair := ratchet.NewKeyPair(ratchet.PrivateKey(*d.Active.Key))
		return secret.Hide([32]byte(*d.Active.Root)), &ratchet.SenderPart{Ratchet: pair, Key: key, Index: index}, err
	case "inactive":
		if d.Root == nil || d.Root.Key == nil || d.Theirs == nil {
			return root, nil, missing("a member of the inactive ratchet")
		}
		return secret.Hide([32]byte(*d.Root.Key)), nil, nil
	}
	return root, nil, pickle.Version("a ratchet that is %.20q, want active or inactive", d.Type)
}

// at returns the key and its index, which a message must have a place for.
func (c *chainKey) at() (key ratchet.Secret, index uint32, err error) {
	switch {
	case c == nil || c.Key == nil:
		return key, 0, missing("a chain's key")
	case c.Index > math.MaxUint32:
		return key, 0, pickle.Damaged("chain at index %d", c.Index)
	}
	return secret.Hide([32]byte(*c.Key)), uint32(c.Index), nil
}

func (c *receiverChain) part() (p ratchet.ReceiverPart, err error) {
	if c.Ratchet == nil || c.Skipped == nil {
		return p, missing("a member of a chain")
	}
	p.Ratchet = ratchet.PublicKey(*c.Ratchet)
	if p.Key, p.Index, err = c.Chain.at(); err != nil {
		return p, err
	}
	if len(c.Skipped.Keys) > ratchet.MaxSkippedKeys {
		return p, pickle.Damaged("%d skipped keys, at most %d", len(c.Skipped.Keys), ratchet.MaxSkippedKeys)
	}
	for _, k := range c.Skipped.Keys {
		key, index, err := k.at()
		if err != nil {
			return p, err
		}
		p.Skipped = append(p.Skipped, ratchet.SkippedPart{Index: index, Key: key})
	}
	return p, nil
}
