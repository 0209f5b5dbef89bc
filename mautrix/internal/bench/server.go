package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/pawlkv/pawl/matrix"
)

// names of devices, by their users.
type devicesOf[T any] map[matrix.UserID]map[matrix.DeviceID]T

func (d devicesOf[T]) put(user matrix.UserID, device matrix.DeviceID, v T) {
	if d[user] == nil {
		d[user] = map[matrix.DeviceID]T{}
	}
	d[user][device] = v
}

// server is a homeserver that answers what a client of one device asks, and no more: it
// checks nothing, and gives the same one-time key as often as it is asked.
type server struct {
	URL    string
	listen net.Listener

	mu      sync.Mutex
	devices devicesOf[json.RawMessage]
	keys    devicesOf[map[string]json.RawMessage]
	letters devicesOf[json.RawMessage] // the last of each
	members json.RawMessage            // of every room
	told    int                        // devices that letters went to
	events  int
}

func newServer() (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{
		URL: "http://" + l.Addr().String(), listen: l, devices: devicesOf[json.RawMessage]{}, keys: devicesOf[map[string]json.RawMessage]{},
		letters: devicesOf[json.RawMessage]{}, members: []byte(`{"chunk":[]}`),
	}
	mux := http.NewServeMux()
	for pattern, answer := range map[string]func(*http.Request, []byte) (any, error){
		"GET /_matrix/client/versions":                          constant(`{"versions":["v1.11"]}`),
		"GET /_matrix/client/v3/sync":                           constant(fmt.Sprintf(`{"next_batch":"s1",%s}`, counts)),
		"POST /_matrix/client/v3/user/{user}/filter":            constant(`{"filter_id":"1"}`),
		"POST /_matrix/client/v3/keys/upload":                   s.upload,
		"POST /_matrix/client/v3/keys/query":                    s.query,
		"POST /_matrix/client/v3/keys/claim":                    s.claim,
		"PUT /_matrix/client/v3/sendToDevice/{type}/{txn}":      s.send,
		"PUT /_matrix/client/v3/rooms/{room}/send/{type}/{txn}": s.event,
		"GET /_matrix/client/v3/rooms/{room}/members":           s.inRoom,
	} {
		mux.HandleFunc(pattern, s.handle(answer))
	}
	go func() { _ = http.Serve(l, mux) }() // until it is closed
	return s, nil
}

func (s *server) close() { _ = s.listen.Close() }

// counts are what a response says of the device's keys: there are enough.
const counts = `"device_one_time_keys_count":{"signed_curve25519":50},"device_unused_fallback_key_types":["signed_curve25519"]`

func constant(answer string) func(*http.Request, []byte) (any, error) {
	return func(*http.Request, []byte) (any, error) { return json.RawMessage(answer), nil }
}

func (s *server) handle(answer func(*http.Request, []byte) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var out []byte
		if err == nil {
			var v any
			if v, err = answer(r, body); err == nil {
				out, err = json.Marshal(v)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			out = fmt.Appendf(nil, `{"errcode":"M_UNKNOWN","error":%q}`, err)
		}
		_, _ = w.Write(out)
	}
}

// token is that of a device, and says whose it is.
func token(user matrix.UserID, device matrix.DeviceID) string {
	return string(user) + "/" + string(device)
}

type uploaded struct {
	DeviceKeys  json.RawMessage            `json:"device_keys"`
	OneTimeKeys map[string]json.RawMessage `json:"one_time_keys"`
}

// take is an upload of a device's keys.
func (s *server) take(user matrix.UserID, device matrix.DeviceID, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var u uploaded
	if err := json.Unmarshal(body, &u); err != nil {
		return err
	}
	if len(u.DeviceKeys) > 0 {
		s.devices.put(user, device, u.DeviceKeys)
	}
	if s.keys[user][device] == nil {
		s.keys.put(user, device, map[string]json.RawMessage{})
	}
	for name, key := range u.OneTimeKeys {
		s.keys[user][device][name] = key
	}
	return nil
}

func (s *server) upload(r *http.Request, body []byte) (any, error) {
	user, device, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), "/")
	err := s.take(matrix.UserID(user), matrix.DeviceID(device), body)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.keys[matrix.UserID(user)][matrix.DeviceID(device)])
	return map[string]any{"one_time_key_counts": map[string]int{"signed_curve25519": n}}, err
}

func (s *server) query(_ *http.Request, body []byte) (any, error) {
	var q struct {
		Keys map[matrix.UserID]json.RawMessage `json:"device_keys"`
	}
	err := json.Unmarshal(body, &q)
	s.mu.Lock()
	defer s.mu.Unlock()
	all := devicesOf[json.RawMessage]{}
	for user := range q.Keys {
		if all[user] = maps.Clone(s.devices[user]); all[user] == nil {
			all[user] = map[matrix.DeviceID]json.RawMessage{}
		}
	}
	return map[string]any{"device_keys": all}, err
}

func (s *server) claim(_ *http.Request, body []byte) (any, error) {
	var q struct {
		Keys devicesOf[string] `json:"one_time_keys"`
	}
	err := json.Unmarshal(body, &q)
	s.mu.Lock()
	defer s.mu.Unlock()
	all := devicesOf[map[string]json.RawMessage]{}
	for user, devices := range q.Keys {
		for device := range devices {
			for name, key := range s.keys[user][device] {
				all.put(user, device, map[string]json.RawMessage{name: key})
				break
			}
		}
	}
	return map[string]any{"one_time_keys": all}, err
}

func (s *server) send(_ *http.Request, body []byte) (any, error) {
	var q struct{ Messages devicesOf[json.RawMessage] }
	err := json.Unmarshal(body, &q)
	s.mu.Lock()
	defer s.mu.Unlock()
	for user, devices := range q.Messages {
		for device, letter := range devices {
			s.letters.put(user, device, letter)
			s.told++
		}
	}
	return struct{}{}, err
}

func (s *server) event(*http.Request, []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events++
	return map[string]string{"event_id": fmt.Sprintf("$%043d", s.events)}, nil
}

func (s *server) inRoom(*http.Request, []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.RawMessage(s.members), nil
}

// counted returns how many devices were told of keys since it was called last.
func (s *server) counted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.told
	s.told = 0
	return n
}
