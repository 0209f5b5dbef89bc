package remote

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// The results as docs/calls.txt has them. They are read by what is written here, and not by
// what writes them.

// read is the value of a result, unless the call failed.
func read[T any](value func() (T, error), err error) (v T, _ error) {
	if err != nil {
		return v, err
	}
	return value()
}

// texts reads values from their texts, and keeps the first error.
type texts struct{ err error }

func text[T any](t *texts, parse func(string) (T, error), s string) (v T) {
	if s == "" || t.err != nil {
		return v
	}
	v, t.err = parse(s)
	return v
}

func (t *texts) bytes(s string) []byte { return text(t, base64.RawStdEncoding.DecodeString, s) }

func (t *texts) ids(all []string) (ids []otk.ID) {
	for _, s := range all {
		ids = append(ids, text(t, otk.ParseID, s))
	}
	return ids
}

func parseReceipt(s string) (id session.ReceiptID, err error) {
	b, err := hex.DecodeString(s)
	if err == nil && copy(id[:], b) != len(b) {
		err = errors.New("remote: not the id of a receipt")
	}
	return id, err
}

type identity struct {
	UserID     matrix.UserID   `json:"user_id"`
	DeviceID   matrix.DeviceID `json:"device_id"`
	Curve25519 string
	Ed25519    string
}

func (i identity) value() (pawl.Identity, error) {
	var t texts
	v := pawl.Identity{
		UserID: i.UserID, DeviceID: i.DeviceID,
		Curve25519: text(&t, ratchet.ParsePublicKey, i.Curve25519), Ed25519: text(&t, account.ParseVerifyKey, i.Ed25519),
	}
	return v, t.err
}

type message struct {
	Type ratchet.MessageType `json:"type"`
	Body string              `json:"body"`
}

func messageOf(m ratchet.Message) message {
	return message{m.Type, base64.RawStdEncoding.EncodeToString(m.Body)}
}

type decrypted struct {
	Plaintext string
	Duplicate bool
	Session   string
	Receipt   string
	Damaged   int
	Reopened  bool
}

func (d decrypted) value() (pawl.Decrypted, error) {
	var t texts
	v := pawl.Decrypted{
		Plaintext: t.bytes(d.Plaintext), Duplicate: d.Duplicate, Session: text(&t, ratchet.ParseSessionID, d.Session),
		Receipt: text(&t, parseReceipt, d.Receipt), Damaged: d.Damaged, Reopened: d.Reopened,
	}
	return v, t.err
}

type result struct {
	decrypted
	Err *Failure
}

type encrypted struct {
	Message message
	Session string
	Damaged int
}

func (e encrypted) value() (pawl.Encrypted, error) {
	var t texts
	v := pawl.Encrypted{
		Message: ratchet.Message{Type: e.Message.Type, Body: t.bytes(e.Message.Body)},
		Session: text(&t, ratchet.ParseSessionID, e.Session), Damaged: e.Damaged,
	}
	return v, t.err
}

type upload struct {
	Body        string
	OneTimeKeys []string `json:"one_time_keys"`
	Fallback    string
	Evicted     []string
}

func (u upload) value() (pawl.Upload, error) {
	var t texts
	v := pawl.Upload{
		Body: json.RawMessage(u.Body), OneTimeKeys: t.ids(u.OneTimeKeys),
		Fallback: text(&t, otk.ParseID, u.Fallback), Evicted: t.ids(u.Evicted),
	}
	return v, t.err
}

// keysOf names the keys of an upload.
func keysOf(u pawl.Upload) versioned {
	keys := versioned{}
	var ids []string
	for _, id := range u.OneTimeKeys {
		ids = append(ids, id.String())
	}
	if ids != nil {
		keys["one_time_keys"] = ids
	}
	if u.Fallback != 0 {
		keys["fallback"] = u.Fallback.String()
	}
	return keys
}

func hexOf(ids []session.ReceiptID) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = hex.EncodeToString(id[:])
	}
	return all
}

type inspection struct {
	Keys struct {
		Generated, Offered, Published, Abandoned, Used int
		Fallback                                       string
	}
	Receipts struct{ Open, Acknowledged int }
	Peers    []struct {
		Curve25519 string
		Sessions   []sessionInfo
	}
}

func (i inspection) value() (pawl.Inspection, error) {
	var t texts
	v := pawl.Inspection{
		Keys: pawl.KeyCounts{
			Generated: i.Keys.Generated, Offered: i.Keys.Offered, Published: i.Keys.Published,
			Abandoned: i.Keys.Abandoned, Used: i.Keys.Used, Fallback: text(&t, otk.ParseID, i.Keys.Fallback),
		},
		Receipts: pawl.ReceiptCounts{Open: i.Receipts.Open, Acknowledged: i.Receipts.Acknowledged},
	}
	for _, p := range i.Peers {
		peer := pawl.PeerInfo{Curve25519: text(&t, ratchet.ParsePublicKey, p.Curve25519)}
		for _, s := range p.Sessions {
			peer.Sessions = append(peer.Sessions, s.value(&t))
		}
		v.Peers = append(v.Peers, peer)
	}
	return v, t.err
}

type sessionInfo struct {
	ID      string
	Origin  string
	Sending *struct {
		RatchetKey string `json:"ratchet_key"`
		Index      uint32
	}
}

var origins = map[string]session.Origin{
	"outbound": session.Outbound, "one_time_key": session.WithOneTimeKey, "fallback_key": session.WithFallbackKey,
}

func (s sessionInfo) value(t *texts) pawl.SessionInfo {
	v := pawl.SessionInfo{ID: text(t, ratchet.ParseSessionID, s.ID), Origin: origins[s.Origin]}
	if s.Sending != nil {
		v.Sending = &ratchet.ChainInfo{
			RatchetKey: text(t, ratchet.ParsePublicKey, s.Sending.RatchetKey), Index: s.Sending.Index,
		}
	}
	return v
}
