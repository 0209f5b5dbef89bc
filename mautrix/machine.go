package pawlmautrix

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"unsafe"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
)

// Machine returns mautrix-go's own machine on the account, for what is not Pawl's:
// verification, cross-signing, secret storage, key backup, room key files. It is there
// once Init has succeeded, nil before.
//
// It gets the to-device events that are not Pawl's by itself. Whoever hands it others, or
// whole responses, changes nothing: it has no one-time keys to upload, answers no requests
// for room keys, reads no Olm message but those that Pawl hands it, and RepairOneTimeKeys
// fails.
func (h *CryptoHelper) Machine() *crypto.OlmMachine {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.olm
}

// newOlm makes the machine for a client whose StateStore is set.
func (h *CryptoHelper) newOlm(ctx context.Context, store *Store) (*crypto.OlmMachine, error) {
	state, ok := h.client.StateStore.(crypto.StateStore)
	if !ok { // of somebody who changed it since NewCryptoHelper
		return nil, h.checkClient()
	}
	store.quiet, store.expiry, store.kick, h.keys = true, h.KeepExpiry, h.sender.kick, store
	log := h.log.With().Str("component", "olm").Logger()
	olm := crypto.NewOlmMachine(h.client, &log, store, state)
	olm.NeedsUnwedgeCallback = leaveUnwedging
	olm.AllowKeyShare = h.allowKeyShare()
	neverRepair(olm)
	return olm, olm.Load(ctx)
}

// leaveUnwedging: Pawl opens other sessions with wedged peers.
func leaveUnwedging(context.Context, id.UserID, id.SenderKey) {}

// leaveKeyRequests: Pawl answers requests for room keys.
func leaveKeyRequests(context.Context, *id.Device, event.RequestedKeyInfo) *crypto.KeyShareRejection {
	return &crypto.KeyShareRejectNoResponse
}

// neverRepair makes RepairOneTimeKeys fail, as while another repair is under way: it
// would claim the keys that Pawl has published. mautrix-go leaves no other way: a repair
// goes by no field, asks the store for nothing before it claims, and sends by the client's
// own requests, which programs make too; and one that is begun and never ends would keep
// its goroutine and the machine for good. A release of mautrix-go that tells its
// repairs in another way is noticed by TestMachineIsQuiet.
func neverRepair(olm *crypto.OlmMachine) {
	repairing := reflect.ValueOf(olm).Elem().FieldByName("repairingOTKs")
	if repairing.IsValid() && repairing.Type() == reflect.TypeFor[atomic.Bool]() {
		(*atomic.Bool)(unsafe.Pointer(repairing.UnsafeAddr())).Store(true)
	}
}

// original is an event as it came, for mautrix-go's machine; nil: it is of a type that
// it does not know, or not as that type must be.
func original(e pawl.ToDeviceEvent, came []*event.Event) *event.Event {
	evt := &event.Event{}
	switch {
	case e.Kept != nil:
		if evt.UnmarshalJSON(e.Kept) != nil {
			return nil
		}
	case e.Index < 0 || e.Index >= len(came):
		return nil
	default:
		*evt = *came[e.Index] // what listeners get is parsed as their syncer says
	}
	evt.Type.Class = event.ToDeviceEventType
	evt.Mautrix.EventSource = event.SourceToDevice
	if err := evt.Content.ParseRaw(evt.Type); err != nil && !errors.Is(err, event.ErrContentAlreadyParsed) {
		return nil
	}
	return evt
}

// toMachine gives an event to mautrix-go's machine. If that panics, as it does when an
// answer cannot be encrypted, the event counts as handled: whoever asked asks again.
func (r *receiver) toMachine(ctx context.Context, e pawl.ToDeviceEvent, came []*event.Event) {
	evt := original(e, came)
	if evt == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			r.log.Error().Any("panic", p).Str("type", e.Type).Msg("mautrix-go's machine panicked over a to-device event")
		}
	}()
	if content, ok := evt.Content.Parsed.(*event.EncryptedEventContent); ok {
		defer r.keys.hand(content)()
	}
	r.olm.HandleToDeviceEvent(ctx, evt)
}

// hand lets mautrix-go's machine decrypt an event, until the function that is returned
// is called.
func (s *Store) hand(content *event.EncryptedEventContent) (done func()) {
	var hashes [][32]byte
	for _, c := range content.OlmCiphertext {
		if hash, ok := hashOf(c.Body); ok {
			hashes = append(hashes, hash)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, hash := range hashes {
		s.handed[hash]++
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, hash := range hashes {
			if s.handed[hash]--; s.handed[hash] == 0 {
				delete(s.handed, hash)
			}
		}
	}
}
