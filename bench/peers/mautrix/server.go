//go:build peers

package mautrix

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/pawlkv/pawl/bench/peers/stored"
	"github.com/pawlkv/pawl/matrix"
)

// server answers what the machine asks of a homeserver.
type server struct {
	uploaded json.RawMessage
	claims   []byte   // response to /keys/claim
	sent     [][]byte // bodies of to-device requests
}

// offer sets what a claim gets.
func (s *server) offer(claimed []stored.Claim) error {
	type keys map[string]json.RawMessage
	users := map[matrix.UserID]map[matrix.DeviceID]keys{}
	for _, c := range claimed {
		if users[c.Device.User] == nil {
			users[c.Device.User] = map[matrix.DeviceID]keys{}
		}
		users[c.Device.User][c.Device.ID] = keys{c.ID: c.Key}
	}
	var err error
	s.claims, err = json.Marshal(map[string]any{"one_time_keys": users})
	return err
}

// RoundTrip implements http.RoundTripper.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := []byte("{}")
	switch {
	case strings.HasSuffix(r.URL.Path, "/keys/upload"):
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.uploaded = body
		answer = []byte(`{"one_time_key_counts":{"signed_curve25519":50}}`)
	case strings.HasSuffix(r.URL.Path, "/keys/claim"):
		answer = s.claims
	case strings.Contains(r.URL.Path, "/sendToDevice/"):
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.sent = append(s.sent, body)
	}
	return &http.Response{
		StatusCode:    http.StatusOK,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader(answer)),
		ContentLength: int64(len(answer)),
		Request:       r,
	}, nil
}
