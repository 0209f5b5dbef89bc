package pawlmautrix

import (
	"errors"
	"fmt"
	"reflect"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"
)

// ErrField: a field of Machine() is set to what Pawl does not do, as the error says.
// Nothing is encrypted or decrypted until it is set back.
var ErrField = errors.New("pawlmautrix: a field of Machine() cannot be as it is")

// rule is what becomes of a field of mautrix-go's machine. It is read at each call.
type rule struct {
	// refuse says why the field cannot be as it is, and what to do; "": it can. nil: any
	// value is honoured.
	refuse func(h *CryptoHelper, olm *crypto.OlmMachine) string
}

// honoured is a field of which every value has its effect: in what the helper does, or in
// what mautrix-go's machine does by itself.
var honoured rule

// unless refuses a field while something does not hold.
func unless(holds func(h *CryptoHelper, olm *crypto.OlmMachine) bool, why string) rule {
	return rule{func(h *CryptoHelper, olm *crypto.OlmMachine) string {
		if holds(h, olm) {
			return ""
		}
		return why
	}}
}

// fields are all exported fields of mautrix-go's machine.
var fields = map[string]rule{
	"Client":      unless(func(h *CryptoHelper, olm *crypto.OlmMachine) bool { return olm.Client == h.client }, "it is the helper's: make another helper for another client"),
	"CryptoStore": unless(func(h *CryptoHelper, olm *crypto.OlmMachine) bool { return olm.CryptoStore == crypto.Store(h.keys) }, "it is the account in Pawl's store: leave it"),
	"StateStore": unless(func(h *CryptoHelper, olm *crypto.OlmMachine) bool {
		return any(olm.StateStore) == any(h.client.StateStore)
	}, "it is the client's: set that before Init"),

	"NeedsUnwedgeCallback": unless(func(_ *CryptoHelper, olm *crypto.OlmMachine) bool {
		return sameFunction(olm.NeedsUnwedgeCallback, leaveUnwedging)
	}, "Pawl opens other sessions with wedged peers: leave it, and see EventWedged of pawl.Machine.Events"),
	"AllowKeyShare": unless(func(h *CryptoHelper, olm *crypto.OlmMachine) bool {
		return sameFunction(olm.AllowKeyShare, h.allowKeyShare())
	}, "Pawl answers requests for room keys: leave it, and set KeyShare of the helper before Init"),
	"ShareKeysMinTrust": unless(func(_ *CryptoHelper, olm *crypto.OlmMachine) bool {
		return olm.ShareKeysMinTrust == id.TrustStateCrossSignedTOFU || olm.ShareKeysMinTrust == id.TrustStateCrossSignedVerified
	}, "Pawl gives own devices a room key again if they are cross-signed and verified: leave it, or set TrustStateCrossSignedVerified"),
	"SendKeysMinTrust":               honoured,
	"DisableDeviceChangeKeyRotation": honoured, // a new device makes Pawl rotate nothing, and one that is gone always does

	"PlaintextMentions":   honoured,
	"MSC4392Relations":    honoured,
	"AllowEncryptedState": honoured,

	"AllowBeeperRoomReroute":          honoured,
	"DisableDecryptKeyFetching":       honoured,
	"IgnorePostDecryptionParseErrors": honoured,
	"SessionReceived":                 honoured,
	"DeletePreviousKeysOnReceive":     honoured,
	"RatchetKeysOnDecrypt":            honoured,
	"DeleteFullyUsedKeysOnDecrypt":    honoured,
	"DisableRatchetTracking":          honoured,
	"DontStoreOutboundKeys":           honoured,
	"DeleteKeysOnDeviceDelete":        honoured,

	// mautrix-go's machine does these by itself, with the events that it is handed.
	"SSSS": honoured, "Log": honoured, "CrossSigningKeys": honoured, "OnRoomKeyBundle": honoured, "SecretPushReceiver": honoured,
	"DeleteOutboundKeysOnAck": honoured, "DisableSharedGroupSessionTracking": honoured,
}

// sameFunction reports whether two functions are one, of the package.
func sameFunction(a, b any) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }

// checkFields fails with ErrField.
func (h *CryptoHelper) checkFields() error {
	for name, of := range fields {
		if of.refuse == nil {
			continue
		}
		if why := of.refuse(h, h.olm); why != "" {
			return fmt.Errorf("%w: %s: %s", ErrField, name, why)
		}
	}
	return nil
}
