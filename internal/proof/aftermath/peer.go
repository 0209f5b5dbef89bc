package aftermath

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/copykv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
)

// Accounts of a life.
const (
	userID   = "@alice:example.org"
	peerID   = "@bob:example.org"
	deviceID = "DEVICE"
)

// UnlockKey opens every store of a life.
var UnlockKey = pawl.WithKey([32]byte{4, 2})

// peer is the device that the one of a life talks to. Nothing happens to it.
type peer struct {
	*pawl.Machine
	store kv.Store
	curve ratchet.PublicKey
}

func newPeer(ctx context.Context) (*peer, error) {
	p := &peer{store: memkv.New()}
	s, err := pawl.Open(ctx, p.store, UnlockKey)
	if err != nil {
		return nil, err
	}
	if p.Machine, err = s.Create(ctx, peerID, deviceID); err != nil {
		return nil, err
	}
	id, err := p.Identity(ctx)
	p.curve = id.Curve25519
	return p, err
}

// clone returns the peer as it is now, to be asked what it would do.
func (p *peer) clone(ctx context.Context) (*peer, error) {
	c := &peer{store: memkv.New(), curve: p.curve}
	from := p.store.Snapshot()
	defer from.Close()
	all := func(string) bool { return true }
	if err := copykv.Bring(ctx, from, c.store, all, func() {}); err != nil {
		return nil, err
	}
	s, err := pawl.Open(ctx, c.store, UnlockKey)
	if err != nil {
		return nil, err
	}
	c.Machine, err = s.Machine(ctx, peerID, deviceID)
	return c, err
}

// oneTimeKey offers a key of the peer.
func (p *peer) oneTimeKey(ctx context.Context) (ratchet.PublicKey, error) {
	u, err := p.KeysForUpload(ctx, 1)
	if err != nil {
		return ratchet.PublicKey{}, err
	}
	keys, err := offered(u)
	return keys[0], err
}

// offered returns the one-time keys of an upload.
func offered(u pawl.Upload) (keys []ratchet.PublicKey, err error) {
	var body struct {
		OneTime map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := json.Unmarshal(u.Body, &body); err != nil {
		return nil, err
	}
	for id, k := range body.OneTime {
		key, err := ratchet.ParsePublicKey(k.Key)
		if err != nil {
			return nil, fmt.Errorf("key %s of an upload: %w", id, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
