package hs

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/matrix"
)

// keySet is what a device has uploaded.
type keySet struct {
	device   json.RawMessage // device_keys; nil before the first upload
	oneTime  []oneTimeKey    // in upload order
	fallback map[string]*oneTimeKey
}

// oneTimeKey is a one-time key, or a fallback key, which may be used.
type oneTimeKey struct {
	id   string // "signed_curve25519:AAAAAQ"
	key  json.RawMessage
	used bool
}

func newKeySet() keySet { return keySet{fallback: map[string]*oneTimeKey{}} }

func algorithmOf(id string) string {
	algorithm, _, _ := strings.Cut(id, ":")
	return algorithm
}

// counts are of one-time keys by algorithm. Synapse says 0 of the one that
// everybody uses.
func (k *keySet) counts() map[string]int {
	n := map[string]int{"signed_curve25519": 0}
	for _, key := range k.oneTime {
		n[algorithmOf(key.id)]++
	}
	return n
}

// unused are the algorithms of fallback keys that nobody was given.
func (k *keySet) unused() []string {
	types := []string{}
	for _, algorithm := range slices.Sorted(maps.Keys(k.fallback)) {
		if !k.fallback[algorithm].used {
			types = append(types, algorithm)
		}
	}
	return types
}

func (s *Server) uploadKeys(c *call) (any, error) {
	var q struct {
		Device      json.RawMessage            `json:"device_keys"`
		OneTime     map[string]json.RawMessage `json:"one_time_keys"`
		Fallback    map[string]json.RawMessage `json:"fallback_keys"`
		OldFallback map[string]json.RawMessage `json:"org.matrix.msc2732.fallback_keys"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &c.device.keys
	fresh, err := k.fresh(q.OneTime)
	if err == nil && given(q.Device) {
		err = s.uploadDevice(c.device, q.Device)
	}
	if err != nil {
		return nil, err
	}
	k.oneTime = append(k.oneTime, fresh...)
	for _, keys := range []map[string]json.RawMessage{q.OldFallback, q.Fallback} {
		for id, key := range keys { // one that was used and comes again counts as unused
			k.fallback[algorithmOf(id)] = &oneTimeKey{id: id, key: key}
		}
	}
	return map[string]any{"one_time_key_counts": k.counts()}, nil
}

func given(raw json.RawMessage) bool { return len(raw) > 0 && !bytes.Equal(raw, []byte("null")) }

// fresh returns the keys that are not there yet, in the order of their ids. One
// known id with another key refuses them all.
func (k *keySet) fresh(keys map[string]json.RawMessage) ([]oneTimeKey, error) {
	var fresh []oneTimeKey
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		i := slices.IndexFunc(k.oneTime, func(known oneTimeKey) bool { return known.id == id })
		switch {
		case i < 0:
			fresh = append(fresh, oneTimeKey{id: id, key: keys[id]})
		case !same(k.oneTime[i].key, keys[id]):
			return nil, problemf(http.StatusBadRequest, "M_UNKNOWN", "One time key %s already exists. Old key: %s; new key: %s", id, k.oneTime[i].key, keys[id])
		}
	}
	return fresh, nil
}

// same compares JSON by what it says.
func same(a, b json.RawMessage) bool {
	ca, err1 := canonicaljson.Canonicalize(a)
	cb, err2 := canonicaljson.Canonicalize(b)
	return err1 == nil && err2 == nil && bytes.Equal(ca, cb)
}

func (s *Server) uploadDevice(d *device, keys json.RawMessage) error {
	var q struct {
		User   matrix.UserID   `json:"user_id"`
		Device matrix.DeviceID `json:"device_id"`
	}
	if err := json.Unmarshal(keys, &q); err != nil {
		return problemf(http.StatusBadRequest, "M_BAD_JSON", "device_keys: %v", err)
	}
	if q.User != d.user.id || q.Device != d.id {
		return problemf(http.StatusBadRequest, "M_INVALID_PARAM", "device_keys are of %s %s, not of %s %s", q.User, q.Device, d.user.id, d.id)
	}
	if d.keys.device == nil || !same(d.keys.device, keys) {
		d.keys.device = keys
		s.devicesChanged(d.user)
	}
	return nil
}

// failures are the servers of some users that do not answer.
func (s *Server) failures(of map[string]bool) map[string]any {
	all := map[string]any{}
	for name := range of {
		all[name] = map[string]any{"status": http.StatusServiceUnavailable, "message": "Not ready for retry"}
	}
	return all
}

func (s *Server) claimKeys(c *call) (any, error) {
	var q struct {
		Keys map[matrix.UserID]map[matrix.DeviceID]string `json:"one_time_keys"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	claimed, silent := map[matrix.UserID]any{}, map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(q.Keys)) {
		if s.down[serverOf(id)] {
			silent[serverOf(id)] = true
			continue
		}
		got := map[matrix.DeviceID]any{}
		for of, algorithm := range q.Keys[id] {
			if d := s.find(id, of); d != nil {
				if key := d.keys.claim(algorithm); key != nil {
					got[of] = map[string]json.RawMessage{key.id: key.key}
				}
			}
		}
		if len(got) > 0 {
			claimed[id] = got
		}
	}
	return map[string]any{"one_time_keys": claimed, "failures": s.failures(silent)}, nil
}

func (s *Server) find(id matrix.UserID, of matrix.DeviceID) *device {
	if u := s.users[id]; u != nil {
		return u.device(of)
	}
	return nil
}

// claim takes the oldest one-time key, or else gives the fallback key.
func (k *keySet) claim(algorithm string) *oneTimeKey {
	i := slices.IndexFunc(k.oneTime, func(key oneTimeKey) bool { return algorithmOf(key.id) == algorithm })
	if i >= 0 {
		key := k.oneTime[i]
		k.oneTime = slices.Delete(k.oneTime, i, i+1)
		return &key
	}
	fallback := k.fallback[algorithm]
	if fallback != nil {
		fallback.used = true
	}
	return fallback
}

// KeyCount is how many one-time keys of a device the server has.
func (s *Server) KeyCount(id matrix.UserID, of matrix.DeviceID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.find(id, of); d != nil {
		return len(d.keys.oneTime)
	}
	return 0
}
