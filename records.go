package pawl

import (
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// The kinds of records; docs/format.md has their bytes. Granularity decides
// what conflicts: two inbound sessions on different one-time keys do not, nor
// do two messages of different peers.
var (
	accounts = txn.Record[account.Account]{Kind: "account", Codec: record[account.Account]{account.Decode}, Shared: true} // <user>/<device>
	pools    = txn.Record[otk.Pool]{Kind: "otk-pool", Codec: record[otk.Pool]{otk.DecodePool}}
	keys     = txn.Record[otk.Key]{Kind: "otk", Codec: record[otk.Key]{otk.DecodeKey}}                             // <public key>
	peers    = txn.Record[session.Peer]{Kind: "peer", Codec: record[session.Peer]{session.DecodePeer}}             // <curve25519>
	sessions = txn.Record[session.Session]{Kind: "session", Codec: record[session.Session]{session.DecodeSession}} // <curve25519>/<id>
	receipts = txn.Record[session.Receipt]{Kind: "receipt", Codec: record[session.Receipt]{session.DecodeReceipt}} // <receipt id>
)

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
