package pawlmautrix

import (
	"errors"
	"slices"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// A device that is given up is followed by the next new one, which has its room keys, and
// by none of those that there were; then nothing is left of its account, and the device is
// not used again before that.
func TestGiveUp(t *testing.T) {
	s := server(t)
	store, err := pawl.Open(t.Context(), memkv.New(), pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	begin := func(device id.DeviceID) (*CryptoHelper, error) {
		c, err := mautrix.NewClient(s.URL(), alice, s.Login(matrix.UserID(alice), matrix.DeviceID(device)))
		if err != nil {
			t.Fatal(err)
		}
		c.DeviceID, c.StateStore = device, mautrix.NewMemoryStateStore()
		h, err := NewCryptoHelper(c, []byte("key"), store)
		if err != nil {
			t.Fatal(err)
		}
		err = h.Init(t.Context())
		t.Cleanup(func() { h.Close() })
		return h, err
	}
	starts := func(device id.DeviceID) *CryptoHelper {
		t.Helper()
		h, err := begin(device)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	has := func(h *CryptoHelper, key id.SessionID, want bool) {
		t.Helper()
		igs, err := h.keys.GetGroupSession(t.Context(), "!room:example.org", key)
		if err != nil || (igs != nil) != want {
			t.Errorf("%s has the key: %v, %v; want %v", h.client.DeviceID, igs != nil, err, want)
		}
	}
	are := func(want ...matrix.DeviceID) {
		t.Helper()
		all, err := store.Accounts(t.Context())
		var got []matrix.DeviceID
		for _, a := range all {
			got = append(got, a.DeviceID)
		}
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("the store has %q, %v; want %q", got, err, want)
		}
	}

	first := starts("FIRST")
	key := newKey(t, first)
	starts("SECOND").Close()
	if err := first.GiveUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.Close()
	has(starts("SECOND"), key, false)
	if _, err := begin("FIRST"); !errors.Is(err, ErrDevice) {
		t.Errorf("the device again: %v, want ErrDevice", err)
	}
	are("FIRST", "SECOND")
	third := starts("THIRD")
	has(third, key, true)
	are("SECOND", "THIRD")
	if err := third.GiveUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	has(starts("FOURTH"), key, true)
	are("FOURTH", "SECOND")
}

// newKey has a helper hold a room key.
func newKey(t *testing.T, h *CryptoHelper) id.SessionID {
	t.Helper()
	out, err := olm.NewOutboundGroupSession()
	if err != nil {
		t.Fatal(err)
	}
	sender := h.olm.OwnIdentity()
	igs, err := crypto.NewInboundGroupSession(sender.IdentityKey, sender.SigningKey, "!room:example.org", out.Key(), time.Hour, 100, nil, false)
	if err == nil {
		err = h.keys.PutGroupSession(t.Context(), igs)
	}
	if err != nil {
		t.Fatal(err)
	}
	return igs.ID()
}
