package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// Homeserver is where a device is logged in.
type Homeserver struct {
	URL, Token string
	// User and Device are for whom an application service asks (MSC4326), "" for
	// whose token it is.
	User   matrix.UserID
	Device matrix.DeviceID
}

// ErrNotSent: no byte of a request has left, certainly.
var ErrNotSent = errors.New("client: the server was not reached")

// Refusal is an answer that is no success.
type Refusal struct {
	Status int
	Body   []byte
}

// Error implements error.
func (r *Refusal) Error() string {
	var why struct{ Errcode, Error string }
	_ = json.Unmarshal(r.Body, &why) // else the status says enough
	return fmt.Sprintf("client: the server answers %d %s %s", r.Status, why.Errcode, why.Error)
}

// Allowed passes over a refusal that the same request will always meet: the server
// does not let the device, which is logged.
func Allowed(err error) error {
	var r *Refusal
	if !errors.As(err, &r) || r.Status/100 != 4 || r.Status == http.StatusUnauthorized || r.Status == http.StatusTooManyRequests {
		return err
	}
	slog.Warn("it is not allowed", "error", err)
	return nil
}

const (
	// longest is how long an answer takes at most: a sync is kept for thirty seconds.
	longest = 2 * time.Minute
	// largest bounds an answer, in bytes.
	largest = 100 << 20
)

// Do asks the server and returns its answer, if that is of status 200. It fails with
// a Refusal, with ErrNotSent, or with another error where nobody knows what became of
// the request.
func (h Homeserver) Do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	connected := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected = true }})
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(h.URL, "/")+h.masked(path), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	r.Header.Set("Authorization", "Bearer "+h.Token)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil && !connected {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, largest))
	if err == nil && response.StatusCode != http.StatusOK {
		err = &Refusal{response.StatusCode, answer}
	}
	return answer, err
}

// masked adds to a path for whom an application service asks.
func (h Homeserver) masked(path string) string {
	if h.User == "" {
		return path
	}
	mask := url.Values{"user_id": {string(h.User)}, "device_id": {string(h.Device)}}.Encode()
	if strings.Contains(path, "?") {
		return path + "&" + mask
	}
	return path + "?" + mask
}

// WhoAmI is whose token it is.
func (h Homeserver) WhoAmI(ctx context.Context) (user matrix.UserID, device matrix.DeviceID, err error) {
	answer, err := h.Do(ctx, "GET", "/_matrix/client/v3/account/whoami", nil)
	var who struct {
		User   matrix.UserID   `json:"user_id"`
		Device matrix.DeviceID `json:"device_id"`
	}
	if err == nil {
		err = json.Unmarshal(answer, &who)
	}
	return who.User, who.Device, err
}
