package pawlbot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/pawlkv/pawl"
)

// clientAPI begins the paths of all requests.
const clientAPI = "/_matrix/client/v3/"

// answered is how long an answer is waited for, longer than a sync is held.
const answered = time.Minute

// server is the homeserver.
type server struct{ url, token string }

// refusal is an answer that is no success.
type refusal struct {
	request string
	status  int
	body    []byte
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: status %d %s", r.request, r.status, r.body) }

// ask makes one request and returns the answer. It fails with a refusal, or with an
// error of the connection.
func (s server) ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answered)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, s.url+clientAPI+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+s.token)
	q.Header.Set("Content-Type", "application/json")
	q.GetBody = nil // net/http would send it again by itself
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, &refusal{method + " " + path, answer.StatusCode, text}
	}
	return text, nil
}

// failure is what an error of ask means for a request of Pawl's.
func (c *client) failure(err error) pawl.Failure {
	var r *refusal
	var connection *net.OpError
	switch {
	case errors.As(err, &r) && r.status == http.StatusTooManyRequests:
		return pawl.Later(c.now().Add(r.after()))
	case errors.As(err, &r):
		return pawl.Refused(r.status, r.body)
	case errors.As(err, &connection) && connection.Op == "dial":
		return pawl.NotSent()
	}
	return pawl.Unknown()
}

// after is how long the server asks to wait.
func (r *refusal) after() time.Duration {
	var says struct {
		Milliseconds int64 `json:"retry_after_ms"`
	}
	_ = json.Unmarshal(r.body, &says) // 0: at once
	return time.Duration(says.Milliseconds) * time.Millisecond
}

// passes reports whether something that failed is to be tried again as it is.
func passes(err error) bool {
	var r *refusal
	var connection *url.Error
	switch {
	case errors.As(err, &r):
		return r.status == http.StatusTooManyRequests || r.status >= 500
	case errors.As(err, &connection), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	return pawl.CodeOf(err).Remedy() == pawl.RemedyRetry
}

// patiently does something until it succeeds, or fails for good, or ctx ends.
func patiently[T any](ctx context.Context, do func() (T, error)) (T, error) {
	return backoff.Retry(ctx, func() (T, error) {
		v, err := do()
		if err != nil && !passes(err) {
			err = backoff.Permanent(err)
		}
		return v, err
	}, backoff.WithBackOff(pause()), backoff.WithMaxElapsedTime(0))
}

// pause is from a time that a person does not notice to one that a server does not.
func pause() *backoff.ExponentialBackOff {
	p := backoff.NewExponentialBackOff()
	p.InitialInterval, p.MaxInterval = 20*time.Millisecond, time.Second
	return p
}
