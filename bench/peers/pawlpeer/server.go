package pawlpeer

import (
	"encoding/json"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/peers/stored"
	"github.com/pawlkv/pawl/matrix"
)

// keysKept is how many one-time keys the server says it has.
const keysKept = 50

// server answers what the machine asks of a homeserver.
type server struct {
	uploaded json.RawMessage // the first keys/upload
	devices  map[matrix.UserID]map[matrix.DeviceID]json.RawMessage
	sent     []json.RawMessage // bodies of to-device requests
}

// meet lets it know devices.
func (s *server) meet(devices []stored.Device) {
	if s.devices == nil {
		s.devices = map[matrix.UserID]map[matrix.DeviceID]json.RawMessage{}
	}
	for _, d := range devices {
		if s.devices[d.User] == nil {
			s.devices[d.User] = map[matrix.DeviceID]json.RawMessage{}
		}
		s.devices[d.User][d.ID] = d.Keys
	}
}

// answer is the response to a request. A claim gets nothing: see [claims].
func (s *server) answer(r pawl.Request) ([]byte, error) {
	switch r.Kind {
	case pawl.KeysUpload:
		if s.uploaded == nil {
			s.uploaded = r.Body
			if err := s.uploadedDevice(r.Body); err != nil {
				return nil, err
			}
		}
		return json.Marshal(map[string]any{"one_time_key_counts": map[string]int{"signed_curve25519": keysKept}})
	case pawl.KeysQuery:
		return s.query(r.Body)
	case pawl.SendToDevice:
		s.sent = append(s.sent, r.Body)
	}
	return []byte("{}"), nil
}

// uploadedDevice lets queries for Bob answer with what he uploaded.
func (s *server) uploadedDevice(body json.RawMessage) error {
	var upload struct {
		Keys json.RawMessage `json:"device_keys"`
	}
	err := json.Unmarshal(body, &upload)
	s.meet([]stored.Device{{User: stored.BobUser, ID: stored.BobDevice, Keys: upload.Keys}})
	return err
}

func (s *server) query(body json.RawMessage) ([]byte, error) {
	var asked struct {
		Users map[matrix.UserID]any `json:"device_keys"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return nil, err
	}
	keys := map[matrix.UserID]map[matrix.DeviceID]json.RawMessage{}
	for user := range asked.Users {
		keys[user] = s.devices[user]
		if keys[user] == nil {
			keys[user] = map[matrix.DeviceID]json.RawMessage{}
		}
	}
	return json.Marshal(map[string]any{"device_keys": keys})
}

// claims is the answer to a claim.
func claims(of []stored.Claim) ([]byte, error) {
	type keys map[string]json.RawMessage
	users := map[matrix.UserID]map[matrix.DeviceID]keys{}
	for _, c := range of {
		if users[c.Device.User] == nil {
			users[c.Device.User] = map[matrix.DeviceID]keys{}
		}
		users[c.Device.User][c.Device.ID] = keys{c.ID: c.Key}
	}
	return json.Marshal(map[string]any{"one_time_keys": users})
}
