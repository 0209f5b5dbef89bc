package libolm

import (
	"slices"

	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/ratchet"
)

// Versions of an Olm session. The second was written by builds for diagnosis, and has
// a number more at its end that nothing needs.
const (
	sessionVersion   = 1
	sessionDiagnosis = 0x80000001
)

const (
	receiverSize = 32 + 32 + 4
	skippedSize  = 32 + 32 + 4
	maxSkipped   = 40
)

// Session reads the pickle of an Olm session of the account with the identity key
// ours:
//
//	version | whether a message was received | I_A, E_A, E_B | root key |
//	at most one chain to send: ratchet public, private, chain key, index |
//	at most five to receive, the newest first: ratchet public, chain key, index |
//	at most forty skipped keys: ratchet public, message key, index
//
// Skipped keys whose chain is gone are left out: a session of this module knows a key
// by its chain. It fails with pickle.ErrKey, pickle.ErrDamaged or pickle.ErrVersion.
func Session(key []byte, pickled string, ours ratchet.PublicKey) (ratchet.Session, error) {
	version, r, err := open(key, pickled, "session")
	if err != nil {
		return ratchet.Session{}, err
	}
	defer r.close()
	if version != sessionVersion && version != sessionDiagnosis {
		return ratchet.Session{}, pickle.Version("session of version %#x, want 1 or 0x80000001", version)
	}
	p := r.session()
	if version == sessionDiagnosis {
		r.uint32()
	}
	if err := r.end(); err != nil {
		return ratchet.Session{}, err
	}
	p.Initiated = p.Keys.Identity == ours
	return pickle.SessionFrom(p)
}

func (r *reader) session() (p ratchet.Parts) {
	p.Received = r.bool()
	p.Keys = ratchet.PreKeys{Identity: r.key(), Base: r.key(), OneTime: r.key()}
	p.Root = r.secret()
	for range r.list(r.uint32(), 32+receiverSize, 1, "chains to send") {
		p.Sender = &ratchet.SenderPart{Ratchet: r.pair(), Key: r.secret(), Index: r.uint32()}
	}
	for range r.list(r.uint32(), receiverSize, ratchet.MaxReceiverChains, "chains to receive") {
		p.Receivers = append(p.Receivers, ratchet.ReceiverPart{Ratchet: r.key(), Key: r.secret(), Index: r.uint32()})
	}
	for range r.list(r.uint32(), skippedSize, maxSkipped, "skipped keys") {
		of, k := ratchet.PublicKey(r.key()), ratchet.SkippedPart{Key: r.secret(), Index: r.uint32()}
		if at := slices.IndexFunc(p.Receivers, func(c ratchet.ReceiverPart) bool { return c.Ratchet == of }); at >= 0 {
			p.Receivers[at].Skipped = append(p.Receivers[at].Skipped, k)
		}
	}
	return p
}
