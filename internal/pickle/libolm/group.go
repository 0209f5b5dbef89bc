package libolm

import (
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/pickle"
)

const (
	inboundVersion  = 2
	outboundVersion = 1

	ratchetSize = 128
)

// Inbound reads the pickle of a Megolm session that somebody sends in:
//
//	version | ratchet at the first index known (128), that index |
//	ratchet and index of late | Ed25519 public (32) | whether that key signed it
//
// It fails with pickle.ErrKey, pickle.ErrDamaged or pickle.ErrVersion.
func Inbound(key []byte, pickled string) (pickle.Inbound, error) {
	version, r, err := open(key, pickled, "inbound group session")
	if err != nil {
		return pickle.Inbound{}, err
	}
	defer r.close()
	if version != inboundVersion {
		return pickle.Inbound{}, pickle.Version("inbound group session of version %d, want 2", version)
	}
	first, index := [128]byte(r.take(ratchetSize)), r.uint32()
	r.take(ratchetSize + 4)
	id := r.key()
	signed := r.bool()
	if err := r.end(); err != nil {
		return pickle.Inbound{}, err
	}
	k, err := pickle.GroupKey(first, index, id)
	return pickle.Inbound{Key: k, Signed: signed}, err
}

// Outbound reads the pickle of a Megolm session that the account sends in, and returns
// what reads its messages from now on. It is not sent in again: who has its key stands
// in no pickle.
//
//	version | ratchet (128), index | Ed25519 public (32), private in expanded form (64)
//
// It fails with pickle.ErrKey, pickle.ErrDamaged or pickle.ErrVersion.
func Outbound(key []byte, pickled string) (pickle.Inbound, error) {
	version, r, err := open(key, pickled, "outbound group session")
	if err != nil {
		return pickle.Inbound{}, err
	}
	defer r.close()
	if version != outboundVersion {
		return pickle.Inbound{}, pickle.Version("outbound group session of version %d, want 1", version)
	}
	now, index, id := [128]byte(r.take(ratchetSize)), r.uint32(), r.key()
	signing := account.ExpandedSigningKey(account.ExpandedKey(r.take(64)))
	if r.err == nil && signing.Public() != account.VerifyKey(id) {
		r.fail("the parts of the Ed25519 key do not belong together")
	}
	if err := r.end(); err != nil {
		return pickle.Inbound{}, err
	}
	k, err := pickle.GroupKey(now, index, id)
	return pickle.Inbound{Key: k, Signed: true}, err
}
