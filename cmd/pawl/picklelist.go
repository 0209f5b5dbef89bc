package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/internal/pickle/libolm"
	"github.com/pawlkv/pawl/internal/pickle/vodozemac"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// pickler reads what a program pickles.
type pickler struct {
	key      func(text []byte) []byte
	keySize  int // 0: any
	account  func(key []byte, pickled string) (pickle.Account, error)
	session  func(key []byte, pickled string, ours ratchet.PublicKey) (ratchet.Session, error)
	inbound  func(key []byte, pickled string) (pickle.Inbound, error)
	outbound func(key []byte, pickled string) (pickle.Inbound, error)
}

var picklers = map[string]pickler{
	"libolm": {
		key:     func(text []byte) []byte { return text },
		account: libolm.Account, session: libolm.Session, inbound: libolm.Inbound, outbound: libolm.Outbound,
	},
	"vodozemac": {
		key: func(text []byte) []byte {
			if b, ok := unpadded.Decode(string(text)); ok && len(b) == vodozemac.KeySize {
				return b
			}
			return text
		},
		keySize: vodozemac.KeySize,
		account: vodozemac.Account, session: vodozemac.Session, inbound: vodozemac.Inbound, outbound: vodozemac.Outbound,
	},
}

// Bounds of a list.
const (
	maxList    = 1 << 30 // bytes
	maxPickles = 1_000_000
)

// listed is an entry of a list: a pickle, and what it does not say itself. See
// docs/import.md.
type listed struct {
	Type   string `json:"type"`
	Pickle string `json:"pickle"`

	UserID   string `json:"user_id"`   // of an account
	DeviceID string `json:"device_id"` // of an account

	SenderKey string `json:"sender_key"` // of a session or an inbound group session
	RoomID    string `json:"room_id"`    // of a group session
	Claimed   struct {
		Ed25519 string `json:"ed25519"`
	} `json:"sender_claimed_keys"`
	Provenance    string `json:"provenance"`
	ForwardedBy   string `json:"forwarded_by"`
	SharedHistory bool   `json:"shared_history"`

	// The unit of a time is part of its name, and never guessed.
	CreatedMS  *int64 `json:"created_ms"`
	CreatedS   *int64 `json:"created_s"`
	ReceivedMS *int64 `json:"received_ms"`
	ReceivedS  *int64 `json:"received_s"`
	SentMS     *int64 `json:"sent_ms"`
	SentS      *int64 `json:"sent_s"`
}

// list is what is read from.
type list struct {
	pickler
	secret []byte
	all    []listed
	d      pawl.Import
}

func (l *list) device() (pawl.Import, error) {
	at := -1
	for i, one := range l.all {
		if one.Type != "account" {
			continue
		}
		if at >= 0 {
			return l.d, notAList("entries %d and %d are both accounts", at, i)
		}
		at = i
	}
	if at < 0 {
		return l.d, notAList("it has no account")
	}
	// The account first: whose side of a session is ours, only it says.
	if err := l.named(at, l.takeAccount); err != nil {
		return pawl.Import{}, err
	}
	for i, one := range l.all {
		take := map[string]func(listed) error{
			"account": func(listed) error { return nil }, "session": l.takeSession,
			"inbound_group_session": l.takeInbound, "outbound_group_session": l.takeOutbound,
		}[one.Type]
		if take == nil {
			return pawl.Import{}, notAList("entry %d is of type %.40q", i, one.Type)
		}
		if err := l.named(i, take); err != nil {
			return pawl.Import{}, err
		}
	}
	return l.d, nil
}

// named takes an entry, and says in an error which it is.
func (l *list) named(i int, take func(listed) error) error {
	one := l.all[i]
	err := take(one)
	if err == nil {
		return nil
	}
	if errors.Is(err, pickle.ErrKey) && l.opensOthers(i) {
		err = pickle.Damaged("it was changed: others open with the key")
	}
	return fmt.Errorf("entry %d (%s): %w", i, one.Type, err)
}

// opensOthers reports whether the key opens another pickle of the list.
func (l *list) opensOthers(but int) bool {
	for i, one := range l.all {
		if i == but {
			continue
		}
		if content, err := pickle.Open(l.secret, one.Pickle); err == nil {
			clear(content)
			return true
		}
	}
	return false
}

func (l *list) takeAccount(one listed) (err error) {
	if l.d.UserID, err = matrix.ParseUserID(one.UserID); err != nil {
		return fmt.Errorf("user_id: %w", err)
	}
	if l.d.DeviceID, err = matrix.ParseDeviceID(one.DeviceID); err != nil {
		return fmt.Errorf("device_id: %w", err)
	}
	if l.d.Created, err = timeOf("created", one.CreatedMS, one.CreatedS); err != nil {
		return err
	}
	a, err := l.account(l.secret, one.Pickle)
	if err != nil {
		return err
	}
	l.d.Identity, l.d.Signing, l.d.LastKeyID = a.Identity, a.Signing, a.LastID
	for _, k := range a.OneTimeKeys {
		l.d.OneTimeKeys = append(l.d.OneTimeKeys, pawl.ImportKey{ID: k.ID, Pair: k.Pair, Published: k.Published})
	}
	for _, k := range a.Fallbacks {
		l.d.FallbackKeys = append(l.d.FallbackKeys, pawl.ImportKey{ID: k.ID, Pair: k.Pair, Published: k.Published})
	}
	return nil
}

func (l *list) takeSession(one listed) (err error) {
	var s pawl.ImportSession
	if s.Ratchet, err = l.session(l.secret, one.Pickle, l.d.Identity.Public()); err != nil {
		return err
	}
	switch {
	case one.SenderKey != "":
		if s.Peer, err = ratchet.ParsePublicKey(one.SenderKey); err != nil {
			return notAList("sender_key: %v", err)
		}
	case s.Ratchet.Initiated():
		return notAList("sender_key is missing: the pickle of a session that this device opened does not say with whom")
	default:
		s.Peer = s.Ratchet.PreKeys().Identity
	}
	var errs [3]error
	s.Created, errs[0] = timeOf("created", one.CreatedMS, one.CreatedS)
	s.Received, errs[1] = timeOf("received", one.ReceivedMS, one.ReceivedS)
	s.Sent, errs[2] = timeOf("sent", one.SentMS, one.SentS)
	l.d.Sessions = append(l.d.Sessions, s)
	return errors.Join(errs[:]...)
}

// provenances are what a list may call them.
var provenances = map[string]group.Provenance{
	"": group.File, "file": group.File, "backup": group.Backup, "bundle": group.Bundle,
	"forwarded": group.Forwarded, "direct": group.Direct,
}

func (l *list) takeInbound(one listed) error {
	in, err := l.inbound(l.secret, one.Pickle)
	if err != nil {
		return err
	}
	source := group.Source{SharedHistory: one.SharedHistory}
	var known bool
	if source.Provenance, known = provenances[one.Provenance]; !known {
		return notAList("provenance %.40q", one.Provenance)
	}
	if source.Provenance == group.Direct && !in.Signed {
		return notAList("provenance is direct, and the pickle says that the key came in another way")
	}
	if source.Sender, err = optionalKey("sender_key", one.SenderKey, source.Provenance >= group.Forwarded); err != nil {
		return err
	}
	if source.Giver, err = optionalKey("forwarded_by", one.ForwardedBy, source.Provenance == group.Forwarded); err != nil {
		return err
	}
	if one.Claimed.Ed25519 != "" {
		if source.Claimed, err = account.ParseVerifyKey(one.Claimed.Ed25519); err != nil {
			return notAList("sender_claimed_keys: %v", err)
		}
	}
	return l.takeRoomKey(one, in.Key, source)
}

// optionalKey parses a Curve25519 key that may be missing, unless it is needed.
func optionalKey(name, text string, needed bool) (k ratchet.PublicKey, err error) {
	if text == "" && !needed {
		return k, nil
	}
	if k, err = ratchet.ParsePublicKey(text); err != nil {
		return k, notAList("%s: %v", name, err)
	}
	return k, nil
}

// takeOutbound keeps what reads the session that the device sent in: nothing is ever
// sent in it again.
func (l *list) takeOutbound(one listed) error {
	out, err := l.outbound(l.secret, one.Pickle)
	if err != nil {
		return err
	}
	return l.takeRoomKey(one, out.Key, group.Source{
		Provenance: group.Direct, Sender: l.d.Identity.Public(), Claimed: l.d.Signing.Public(), SharedHistory: one.SharedHistory,
	})
}

func (l *list) takeRoomKey(one listed, k group.Key, source group.Source) error {
	room, err := matrix.ParseRoomID(one.RoomID)
	if err != nil {
		return fmt.Errorf("room_id: %w", err)
	}
	l.d.RoomKeys = append(l.d.RoomKeys, pawl.RoomKey{Room: room, Key: k, Source: source})
	return nil
}

// timeOf is a time in milliseconds or in seconds, and none if neither is there.
func timeOf(name string, ms, s *int64) (time.Time, error) {
	const most = 1 << 42 // milliseconds: the year 2109
	switch {
	case ms != nil && s != nil:
		return time.Time{}, notAList("%s_ms and %s_s are both there", name, name)
	case ms == nil && s == nil:
		return time.Time{}, nil
	case ms == nil:
		if *s < 0 || *s > most/1000 {
			return time.Time{}, notAList("%s_s is %d: is it in seconds?", name, *s)
		}
		return time.Unix(*s, 0), nil
	case *ms < 0 || *ms > most:
		return time.Time{}, notAList("%s_ms is %d: is it in milliseconds?", name, *ms)
	}
	return time.UnixMilli(*ms), nil
}
