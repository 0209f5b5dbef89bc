package hs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// maxBody is what Synapse takes of a request, about.
const maxBody = 50 << 20

// call is a request as the endpoints see it.
type call struct {
	*http.Request
	endpoint string
	body     []byte
	device   *device // nil where no token is needed
}

// problem is an answer that says what is wrong.
type problem struct {
	status  int
	code    string
	message string
	retry   time.Duration // for 429
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s: %s", p.status, p.code, p.message) }

// answer is what a client gets of it.
func (p *problem) answer() (int, []byte) {
	b := map[string]any{"errcode": p.code, "error": p.message}
	if p.retry > 0 {
		b["retry_after_ms"] = p.retry.Milliseconds()
	}
	text, _ := json.Marshal(b) // strings and a number
	return p.status, text
}

func problemf(status int, code, format string, args ...any) *problem {
	return &problem{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func notFound(what string) *problem {
	return problemf(http.StatusNotFound, "M_NOT_FOUND", "%s not found", what)
}

func forbidden(format string, args ...any) *problem {
	return problemf(http.StatusForbidden, "M_FORBIDDEN", format, args...)
}

// read decodes the body. One that is empty is an empty object.
func (c *call) read(into any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	if !json.Valid(c.body) {
		return problemf(http.StatusBadRequest, "M_NOT_JSON", "Content not JSON.")
	}
	if err := json.Unmarshal(c.body, into); err != nil {
		return problemf(http.StatusBadRequest, "M_BAD_JSON", "%v", err)
	}
	return nil
}

func (c *call) user() matrix.UserID { return c.device.user.id }
func (c *call) room() matrix.RoomID { return matrix.RoomID(c.PathValue("room")) }
func (c *call) token() string       { return bearer(c.Request) }
func (c *call) failed(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	return problemf(http.StatusInternalServerError, "M_UNKNOWN", "%v", err)
}

// handle answers one endpoint: faults, token, body, and then what it does.
func (s *Server) handle(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return // the client is gone, or far too large
		}
		c := &call{Request: r, endpoint: e.name, body: body}
		authorized := s.authorize(c, e.open)
		user, device := c.names()
		s.pass(w, &passing{r, e.name, user, device, body, func() (int, []byte) { return s.result(c, e, authorized) }})
	}
}

// result is what the endpoint answers.
func (s *Server) result(c *call, e endpoint, err error) (int, []byte) {
	var answer any
	if err == nil {
		answer, err = e.do(s, c)
	}
	if err != nil {
		return c.failed(err).answer()
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return http.StatusInternalServerError, []byte(`{"errcode":"M_UNKNOWN"}`)
	}
	return http.StatusOK, text
}

// authorize finds whose token it is.
func (s *Server) authorize(c *call, open bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := c.token()
	d, known := s.tokens[token]
	if !known {
		d, known = s.masked(c, token)
	}
	switch {
	case known:
		c.device = d
		return nil
	case open:
		return nil
	case token == "":
		return problemf(http.StatusUnauthorized, "M_MISSING_TOKEN", "Missing access token")
	}
	return problemf(http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
}

func (c *call) names() (matrix.UserID, matrix.DeviceID) {
	if c.device == nil {
		return "", ""
	}
	return c.device.user.id, c.device.id
}
