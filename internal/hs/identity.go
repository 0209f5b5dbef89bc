package hs

import (
	"encoding/json"
	"net/http"

	"github.com/pawlkv/pawl/matrix"
)

// identityKinds are the cross-signing keys: how they are uploaded, and how a query
// answers them.
var identityKinds = []struct{ kind, uploaded, answered string }{
	{"master", "master_key", "master_keys"},
	{"self_signing", "self_signing_key", "self_signing_keys"},
	{"user_signing", "user_signing_key", "user_signing_keys"}, // to the user alone
}

func (s *Server) uploadIdentity(c *call) (any, error) {
	var q map[string]json.RawMessage
	if err := c.read(&q); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range identityKinds {
		if given(q[k.uploaded]) {
			c.device.user.identity[k.kind] = q[k.uploaded]
		}
	}
	s.devicesChanged(c.device.user)
	return struct{}{}, nil
}

// signed is any object that has signatures.
type signed map[string]any

// merge adds the signatures of another copy of the object.
func (o signed) merge(other signed) {
	mine, _ := o["signatures"].(map[string]any)
	if mine == nil {
		mine = map[string]any{}
	}
	theirs, _ := other["signatures"].(map[string]any)
	for user, keys := range theirs {
		known, _ := mine[user].(map[string]any)
		if known == nil {
			known = map[string]any{}
		}
		added, _ := keys.(map[string]any)
		for id, signature := range added {
			known[id] = signature
		}
		mine[user] = known
	}
	o["signatures"] = mine
}

// uploadSignatures adds signatures to devices, by id, and to cross-signing keys, by
// their public key. Signatures are not verified: a client that trusts a server to
// do it is wrong.
func (s *Server) uploadSignatures(c *call) (any, error) {
	var q map[matrix.UserID]map[string]signed
	if err := c.read(&q); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	failures := map[matrix.UserID]map[string]json.RawMessage{}
	for id, objects := range q {
		for name, object := range objects {
			if err := s.addSignatures(id, name, object); err != nil {
				if failures[id] == nil {
					failures[id] = map[string]json.RawMessage{}
				}
				_, failures[id][name] = c.failed(err).answer()
			}
		}
		if u := s.users[id]; u != nil {
			s.devicesChanged(u)
		}
	}
	return map[string]any{"failures": failures}, nil
}

func (s *Server) addSignatures(id matrix.UserID, name string, object signed) error {
	u := s.users[id]
	if u == nil {
		return notFound("User")
	}
	if d := u.device(matrix.DeviceID(name)); d != nil && d.keys.device != nil {
		return mergeInto(&d.keys.device, object)
	}
	for kind, raw := range u.identity {
		var key struct{ Keys map[string]string }
		if err := json.Unmarshal(raw, &key); err != nil {
			continue
		}
		for _, public := range key.Keys {
			if public == name {
				err := mergeInto(&raw, object)
				u.identity[kind] = raw
				return err
			}
		}
	}
	return notFound("Key")
}

func mergeInto(raw *json.RawMessage, object signed) error {
	var stored signed
	if err := json.Unmarshal(*raw, &stored); err != nil {
		return problemf(http.StatusInternalServerError, "M_UNKNOWN", "%v", err)
	}
	stored.merge(object)
	text, err := json.Marshal(stored)
	*raw = text
	return err
}
