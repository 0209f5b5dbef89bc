package keys_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// server is what a homeserver does with uploads: it refuses an id under another key,
// takes the same key again, hands keys out in the order of their arrival, and then the
// fallback key.
type server struct {
	device   json.RawMessage
	keys     map[otk.ID]ratchet.PublicKey // that were not handed out
	order    []otk.ID
	fallback ratchet.PublicKey
	used     bool
	out      []ratchet.PublicKey // one-time keys that were handed out, as often as they were
	dendrite bool                // refuses in its words
	most     int                 // one-time keys in a body; 0: any number
}

func newServer() *server { return &server{keys: map[otk.ID]ratchet.PublicKey{}} }

// upload is the body of one.
type upload struct {
	Device   json.RawMessage      `json:"device_keys"`
	OneTime  map[string]publicKey `json:"one_time_keys"`
	Fallback map[string]publicKey `json:"fallback_keys"`
}

type publicKey struct {
	Key ratchet.PublicKey `json:"-"`
}

// UnmarshalJSON reads the key and asks for its signature.
func (k *publicKey) UnmarshalJSON(b []byte) (err error) {
	var signed struct {
		Key        string          `json:"key"`
		Signatures json.RawMessage `json:"signatures"`
	}
	if err = json.Unmarshal(b, &signed); err == nil && signed.Signatures == nil {
		err = fmt.Errorf("not signed")
	}
	if err == nil {
		k.Key, err = ratchet.ParsePublicKey(signed.Key)
	}
	return err
}

func parseUpload(t testing.TB, body []byte) (u upload) {
	t.Helper()
	if err := json.Unmarshal(body, &u); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return u
}

// oneTime returns the one-time keys of a body by id, in order.
func (u upload) oneTime(t testing.TB) (ids []otk.ID, keys map[otk.ID]ratchet.PublicKey) {
	t.Helper()
	keys = map[otk.ID]ratchet.PublicKey{}
	for name, key := range u.OneTime {
		id, err := otk.ParseID(strings.TrimPrefix(name, "signed_curve25519:"))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		keys[id] = key.Key
	}
	slices.Sort(ids)
	return ids, keys
}

// fallbackKey returns the fallback key of a body, if there is one.
func (u upload) fallbackKey() (key ratchet.PublicKey, there bool) {
	for _, k := range u.Fallback {
		return k.Key, true
	}
	return key, false
}

// put applies a body, and returns the status and the response.
func (s *server) put(t testing.TB, body []byte) (int, []byte) {
	t.Helper()
	u := parseUpload(t, body)
	ids, keys := u.oneTime(t)
	if s.most > 0 && len(ids) > s.most {
		return 413, []byte(`{"errcode":"M_TOO_LARGE"}`)
	}
	for _, id := range ids {
		if known, taken := s.keys[id]; taken && known != keys[id] {
			if s.dendrite {
				return 400, fmt.Appendf(nil, `{"@alice:example.org":{"DEVICE":{"error":"algorithm / key ID signed_curve25519:%s one-time key already exists"}}}`, id)
			}
			return 400, fmt.Appendf(nil, `{"errcode":"M_UNKNOWN","error":"One time key signed_curve25519:%s already exists. Old key: {}; new key: {}"}`, id)
		}
	}
	for _, id := range ids {
		if _, there := s.keys[id]; !there {
			s.order = append(s.order, id)
		}
		s.keys[id] = keys[id]
	}
	if key, there := u.fallbackKey(); there {
		s.fallback, s.used = key, false
	}
	if u.Device != nil {
		s.device = u.Device
	}
	return 200, s.counts()
}

func (s *server) counts() []byte {
	return fmt.Appendf(nil, `{"one_time_key_counts":{"signed_curve25519":%d}}`, len(s.keys))
}

// claim hands out a key.
func (s *server) claim() (key ratchet.PublicKey, fallback bool) {
	if len(s.order) == 0 {
		s.used = true
		return s.fallback, true
	}
	id := s.order[0]
	s.order = s.order[1:]
	key = s.keys[id]
	delete(s.keys, id)
	s.out = append(s.out, key)
	return key, false
}

// unused is what a sync says of fallback keys.
func (s *server) unused() []string {
	if s.used || s.fallback == (ratchet.PublicKey{}) {
		return []string{}
	}
	return []string{"signed_curve25519"}
}

// query answers for the own device.
func (s *server) query() []byte {
	devices := map[string]json.RawMessage{}
	if s.device != nil {
		devices["DEVICE"] = s.device
	}
	b, _ := json.Marshal(map[string]any{"device_keys": map[string]any{"@alice:example.org": devices}, "failures": map[string]any{}})
	return b
}

// answer is what the server says to a request.
func (s *server) answer(t testing.TB, r outbox.Request) (int, []byte) {
	t.Helper()
	switch r.Kind {
	case outbox.Upload:
		return s.put(t, r.Body)
	case outbox.Lookup:
		return 200, s.query()
	}
	return 200, []byte(`{}`)
}

// strange returns the signed keys of another device of the same name.
func strange(t testing.TB) json.RawMessage {
	t.Helper()
	other, err := account.New(random, "@alice:example.org", "DEVICE", noon)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := other.DeviceKeys()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
