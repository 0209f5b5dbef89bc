package hs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Ask asks a homeserver something as who has a token, with a body in JSON, and returns
// the status and the answer. Each request has a connection of its own: on one that was
// used before, a request is tried again when that ends. It fails if there is no answer, or
// none in JSON.
func Ask(ctx context.Context, token, method, url string, body any) (status int, answer map[string]any, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	q, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	q.Header.Set("Authorization", "Bearer "+token)
	q.Close = true
	came, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, nil, err
	}
	defer came.Body.Close()
	if text, err = io.ReadAll(came.Body); err != nil {
		return 0, nil, err
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return came.StatusCode, nil, fmt.Errorf("%s %s answers %d %q", method, url, came.StatusCode, text)
	}
	return came.StatusCode, answer, nil
}
