package workload

import (
	"encoding/json"
	"fmt"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
)

// uploaded returns the one-time keys of an upload in the order of their ids, as
// a server gives them out.
func uploaded(u pawl.Upload) ([]ratchet.PublicKey, error) {
	var body struct {
		Keys map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := json.Unmarshal(u.Body, &body); err != nil {
		return nil, err
	}
	var keys []ratchet.PublicKey
	for _, id := range u.OneTimeKeys {
		stored, ok := body.Keys["signed_curve25519:"+id.String()]
		if !ok {
			return nil, fmt.Errorf("workload: the upload has no key %v", id)
		}
		key, err := ratchet.ParsePublicKey(stored.Key)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}
