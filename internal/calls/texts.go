package calls

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// text is how values of a type are written as a string. "" is the zero value.
type text struct {
	is     string // what it is, for the list of fields
	format func(reflect.Value) string
	parse  func(string) (reflect.Value, error) // nil: only results have it
}

var texts = map[reflect.Type]text{}

var errText = errors.New("it is none")

func init() {
	written("a Curve25519 key", ratchet.ParsePublicKey)
	written("an Ed25519 key", account.ParseVerifyKey)
	written("a signature", account.ParseSignature)
	written("the id of an Olm session", ratchet.ParseSessionID)
	written("the id of a Megolm session", group.ParseSessionID)
	written("the id of a one-time key", otk.ParseID)
	written("the id of a receipt", func(s string) (id session.ReceiptID, err error) { return id, unhex(id[:], s) })
	written("the id of a request", func(s string) (id pawl.RequestID, err error) { return id, unhex(id[:], s) })

	words(map[pawl.Membership]string{pawl.Join: "join", pawl.Invite: "invite", pawl.Leave: "leave", pawl.Ban: "ban", pawl.Knock: "knock"})
	words(map[group.Visibility]string{
		group.Invited: "invited", group.Joined: "joined", group.Shared: "shared", group.WorldReadable: "world_readable",
	})
	words(map[group.Strategy]string{
		group.AllDevices: "all_devices", group.CrossSigned: "cross_signed", group.Verified: "verified", group.ByCaller: "by_caller",
	})
	words(map[group.Provenance]string{
		group.File: "file", group.Backup: "backup", group.Bundle: "bundle", group.Forwarded: "forwarded", group.Direct: "direct",
	})
	words(map[session.Origin]string{
		session.Outbound: "outbound", session.WithOneTimeKey: "one_time_key", session.WithFallbackKey: "fallback_key",
	})
	words(map[device.Trust]string{device.Unsigned: "unsigned", device.CrossSigned: "cross_signed", device.Verified: "verified"})
	words(map[group.Why]string{
		group.TooManyMessages: "too_many_messages", group.TooOld: "too_old", group.SomebodyLeft: "somebody_left",
		group.DeviceNotAllowed: "device_not_allowed", group.VisibilityChanged: "visibility_changed",
		group.SettingsChanged: "settings_changed", group.Asked: "asked", group.Recovered: "recovered",
	})
	words(map[pawl.EventKind]string{
		pawl.EventResync: "resync", pawl.EventRoomKey: "room_key", pawl.EventDevice: "device", pawl.EventIdentity: "identity",
		pawl.EventRefused: "refused", pawl.EventWedged: "wedged", pawl.EventUnwedged: "unwedged",
	})
	words(map[pawl.RequestKind]string{
		pawl.KeysUpload: "keys_upload", pawl.KeysQuery: "keys_query", pawl.KeysClaim: "keys_claim", pawl.SendToDevice: "send_to_device",
	})
	words(map[pawl.DeviceState]string{
		pawl.DeviceUnknown: "unknown", pawl.DeviceKnown: "known", pawl.DeviceGone: "gone",
		pawl.DeviceDisputed: "disputed", pawl.DeviceMismatched: "mismatched",
	})
	words(map[pawl.IdentityState]string{
		pawl.IdentityNone: "none", pawl.IdentityPinned: "pinned", pawl.IdentityChanged: "changed", pawl.IdentityVerified: "verified",
	})
}

func unhex(to []byte, s string) error {
	if hex.DecodedLen(len(s)) != len(to) {
		return errText
	}
	if _, err := hex.Decode(to, []byte(s)); err != nil {
		return errText
	}
	return nil
}

// written adds a type whose String is its text.
func written[T interface {
	comparable
	fmt.Stringer
}](is string, parse func(string) (T, error)) {
	var zero T
	texts[reflect.TypeFor[T]()] = text{
		is: is,
		format: func(v reflect.Value) string {
			if v.Interface().(T) == zero {
				return ""
			}
			return v.Interface().(T).String()
		},
		parse: func(s string) (reflect.Value, error) {
			if s == "" {
				return reflect.ValueOf(zero), nil
			}
			v, err := parse(s)
			if err != nil {
				return reflect.Value{}, errText // what was given is not repeated
			}
			return reflect.ValueOf(v), nil
		},
	}
}

// words adds a type whose values have words of their own here: what String says is for
// people and may change.
func words[T comparable](all map[T]string) {
	values := map[string]T{}
	for v, word := range all {
		values[word] = v
	}
	texts[reflect.TypeFor[T]()] = text{
		is:     "one of " + list(all),
		format: func(v reflect.Value) string { return all[v.Interface().(T)] },
		parse: func(s string) (reflect.Value, error) {
			v, known := values[s]
			if !known && s != "" {
				return reflect.Value{}, fmt.Errorf("it is none of %s", list(all))
			}
			return reflect.ValueOf(v), nil
		},
	}
}

func list[T comparable](all map[T]string) string {
	return strings.Join(slices.Sorted(maps.Values(all)), ", ")
}

// spoken are types of which a result has the words of String, which no program decides by.
var spoken = map[reflect.Type]bool{
	reflect.TypeFor[device.Reason](): true,
	reflect.TypeFor[account.Cause](): true,
}
