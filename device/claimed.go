package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

var (
	// ErrUnasked: something about a device that nobody asked for.
	ErrUnasked = errors.New("device: nobody asked for it")
	// ErrAlgorithm: a one-time key of another algorithm than signed_curve25519.
	ErrAlgorithm = errors.New("device: a one-time key of another algorithm")
)

// ClaimAlgorithm is that of the keys that are claimed.
const ClaimAlgorithm = "signed_curve25519"

// OneTimeKey is a key that a device signed for whoever claims it.
type OneTimeKey struct {
	Of       Keys
	Key      ratchet.PublicKey
	Fallback bool // it is not only for us
}

// Claimed is what an answer to /keys/claim gives.
type Claimed struct {
	Keys    []OneTimeKey // at most one of a device
	Without []Keys       // devices asked for, of which there is nothing to be believed
	Failed  []string     // servers of those, which did not answer
	Refused []Refusal
}

// ParseClaimed verifies an answer to /keys/claim: a key is of a device that was
// asked for, of ClaimAlgorithm, not zero (ratchet.ErrZeroSecret), and signed by the
// Ed25519 key that the device is known with. A fallback key will do. What is not
// believable is in Refused; only an answer that is not one at all fails, with
// [ErrForm].
func ParseClaimed(raw []byte, asked []Keys) (Claimed, error) {
	o, err := parseObject(raw)
	if err != nil {
		return Claimed{}, err
	}
	if _, there := o.members["one_time_keys"]; !there {
		return Claimed{}, fmt.Errorf("%w: no one_time_keys", ErrForm)
	}
	users, err := o.byUser("one_time_keys")
	if err != nil {
		return Claimed{}, err
	}
	var failures map[string]json.RawMessage
	if json.Unmarshal(o.members["failures"], &failures) != nil {
		failures = nil // it explains, and no more
	}
	var c Claimed
	given := map[Name]json.RawMessage{} // nil: asked for
	for _, of := range asked {
		given[of.Name] = nil
	}
	for _, user := range slices.Sorted(maps.Keys(users)) {
		c.sort(user, users[user], given)
	}
	for _, of := range asked {
		key, err := oneTimeKeyOf(of, given[of.Name])
		switch {
		case err == nil:
			c.Keys = append(c.Keys, key)
			continue
		case given[of.Name] != nil:
			c.Refused = append(c.Refused, Refusal{of.User, of.Device, err})
		}
		c.Without = append(c.Without, of)
		if _, failed := failures[of.Server()]; failed && !slices.Contains(c.Failed, of.Server()) {
			c.Failed = append(c.Failed, of.Server())
		}
	}
	return c, nil
}

// sort puts what there is of a user's devices where it belongs.
func (c *Claimed) sort(user matrix.UserID, raw json.RawMessage, given map[Name]json.RawMessage) {
	var devices map[matrix.DeviceID]json.RawMessage
	if json.Unmarshal(raw, &devices) != nil {
		c.Refused = append(c.Refused, Refusal{User: user, Err: fmt.Errorf("%w: not an object", ErrForm)})
		return
	}
	for _, id := range slices.Sorted(maps.Keys(devices)) {
		name := Name{user, id}
		if _, asked := given[name]; asked {
			given[name] = devices[id]
		} else {
			c.Refused = append(c.Refused, Refusal{user, id, ErrUnasked})
		}
	}
}

// oneTimeKeyOf returns the first key that can be believed of those given for a
// device, or why none can.
func oneTimeKeyOf(of Keys, raw json.RawMessage) (OneTimeKey, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return OneTimeKey{}, fmt.Errorf("%w: not an object", ErrForm)
	}
	first := fmt.Errorf("%w: no key", ErrForm)
	for i, id := range slices.Sorted(maps.Keys(all)) {
		key, err := parseOneTimeKey(of, id, all[id])
		if err == nil {
			return key, nil
		}
		if i == 0 {
			first = err
		}
	}
	return OneTimeKey{}, first
}

func parseOneTimeKey(of Keys, id string, raw json.RawMessage) (OneTimeKey, error) {
	if algorithm, _, _ := strings.Cut(id, ":"); algorithm != ClaimAlgorithm {
		return OneTimeKey{}, fmt.Errorf("%w: %.64q", ErrAlgorithm, algorithm)
	}
	o, err := parseObject(raw)
	if err != nil {
		return OneTimeKey{}, err
	}
	text, err := o.text("key")
	if err != nil {
		return OneTimeKey{}, err
	}
	k := OneTimeKey{Of: of}
	if k.Key, err = ratchet.ParsePublicKey(text); err != nil {
		return OneTimeKey{}, fmt.Errorf("%w: no Curve25519 key", ErrForm)
	}
	if k.Key == (ratchet.PublicKey{}) {
		return OneTimeKey{}, ratchet.ErrZeroSecret
	}
	if raw, there := o.members["fallback"]; there && json.Unmarshal(raw, &k.Fallback) != nil {
		return OneTimeKey{}, fmt.Errorf("%w: fallback is not a boolean", ErrForm)
	}
	return k, o.signed(of.User, string(of.Device), of.Ed25519)
}

// Server returns the name of the device's server.
func (n Name) Server() string {
	_, server, _ := strings.Cut(string(n.User), ":")
	return server
}
