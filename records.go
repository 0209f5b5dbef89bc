package pawl

import (
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// The kinds of records; docs/format.md has their bytes. Granularity decides
// what conflicts: two inbound sessions on different one-time keys do not, nor
// do two messages of different peers.
var (
	accounts = txn.Record[accountName, account.Account]{
		Kind: "account", Codec: record[account.Account]{account.Decode}, Shared: true,
		Name: func(a account.Account) accountName { return accountName{a.User(), a.Device()} },
		Path: func(n accountName) txn.Path { return txn.PathOf(string(n.user), string(n.device)) },
	}
	pools = txn.Single[otk.Pool]{Kind: "otk-pool", Codec: record[otk.Pool]{otk.DecodePool}}
	keys  = txn.Record[ratchet.PublicKey, otk.Key]{
		Kind: "otk", Codec: record[otk.Key]{otk.DecodeKey},
		Name: otk.Key.Public, Path: txn.Spelled[ratchet.PublicKey],
	}
	peers = txn.Record[ratchet.PublicKey, session.Peer]{
		Kind: "peer", Codec: record[session.Peer]{session.DecodePeer},
		Name: session.Peer.Identity, Path: txn.Spelled[ratchet.PublicKey],
	}
	sessions = txn.Record[sessionName, session.Session]{
		Kind: "session", Codec: record[session.Session]{session.DecodeSession},
		Name: nameOf,
		Path: func(n sessionName) txn.Path { return txn.PathOf(n.peer.String(), n.id.String()) },
	}
	receipts = txn.Record[session.ReceiptID, session.Receipt]{
		Kind: "receipt", Codec: record[session.Receipt]{session.DecodeReceipt},
		Name: session.Receipt.ID, Path: txn.Spelled[session.ReceiptID],
	}
)

// accountName names an account in the store.
type accountName struct {
	user   matrix.UserID
	device matrix.DeviceID
}

// sessionName names a session of an account.
type sessionName struct {
	peer ratchet.PublicKey
	id   ratchet.SessionID
}

func nameOf(s session.Session) sessionName { return sessionName{s.Peer(), s.ID()} }

// record is the codec of a type that encodes itself.
type record[T interface{ Encode() ([]byte, error) }] struct {
	decode func([]byte) (T, error)
}

// Append implements txn.Codec.
func (record[T]) Append(dst []byte, v T) ([]byte, error) {
	b, err := v.Encode()
	if err != nil || dst == nil {
		return b, err
	}
	dst = append(dst, b...)
	clear(b) // a plaintext: only dst is wiped by its owner
	return dst, nil
}

// Decode implements txn.Codec.
func (r record[T]) Decode(b []byte) (T, error) { return r.decode(b) }
