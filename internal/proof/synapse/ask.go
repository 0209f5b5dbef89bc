package synapse

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// What follows goes past the proxy: it is not in the log, and meets no faults.

// ask asks the server for something that it grants.
func (s *Server) ask(token, method, path string, body, into any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	q, err := http.NewRequest(method, "http://synapse"+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("X-Forwarded-For", "127.0.0.1") // a socket has no address, and Synapse wants one
	q.Header.Set("X-Forwarded-Proto", "http")
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := s.client.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(text, into) != nil {
		s.t.Fatalf("%s: %s %s: %s %s %v", s.kind.name, method, path, answer.Status, text, err)
	}
}

// AddUser makes a user with the shared secret.
func (s *Server) AddUser(id matrix.UserID, password string) {
	s.t.Helper()
	s.passwords[id] = s.kind.password(password)
	s.register(id, s.passwords[id], false)
}

func (s *Server) register(id matrix.UserID, password string, admin bool) (token string) {
	s.t.Helper()
	const path = "/_synapse/admin/v1/register"
	var nonce struct{ Nonce string }
	s.ask("", "GET", path, nil, &nonce)
	name, _, _ := strings.Cut(strings.TrimPrefix(string(id), "@"), ":")
	role := "notadmin"
	if admin {
		role = "admin"
	}
	mac := hmac.New(sha1.New, []byte(s.secret)) // SHA-1 is what it asks for
	io.WriteString(mac, strings.Join([]string{nonce.Nonce, name, password, role}, "\x00"))
	var made session
	s.ask("", "POST", path, object{
		"nonce": nonce.Nonce, "username": name, "password": password, "admin": admin, "mac": hex.EncodeToString(mac.Sum(nil)),
	}, &made)
	if made.User != id {
		s.t.Fatalf("%s: made %s, want %s", s.kind.name, made.User, id)
	}
	return made.Token
}

// session is an answer to somebody who is logged in now.
type session struct {
	User  matrix.UserID `json:"user_id"`
	Token string        `json:"access_token"`
}

// Login logs somebody in, and returns the access token.
func (s *Server) Login(id matrix.UserID, of matrix.DeviceID) string {
	s.t.Helper()
	var in session
	s.ask("", "POST", "/_matrix/client/v3/login", object{
		"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": id}, "password": s.passwords[id], "device_id": of,
	}, &in)
	s.Learn(in.Token, id, of)
	return in.Token
}

// Logout removes a device.
func (s *Server) Logout(id matrix.UserID, of matrix.DeviceID) {
	s.t.Helper()
	s.ask(s.Token(id, of), "POST", "/_matrix/client/v3/logout", object{}, &object{})
}

// KeyCount is how many one-time keys the server has of a device: an upload of nothing says.
func (s *Server) KeyCount(id matrix.UserID, of matrix.DeviceID) int {
	s.t.Helper()
	var answer struct {
		Counts map[string]int `json:"one_time_key_counts"`
	}
	s.ask(s.Token(id, of), "POST", "/_matrix/client/v3/keys/upload", object{}, &answer)
	return answer.Counts["signed_curve25519"]
}

// Timeline returns all events of a room.
func (s *Server) Timeline(id matrix.RoomID) []hs.Event {
	s.t.Helper()
	return s.kind.timeline(s, id)
}

// administered are a room's events as an administrator of Synapse sees them.
func (s *Server) administered(id matrix.RoomID) (all []hs.Event) {
	s.t.Helper()
	if s.admin == "" {
		s.admin = s.register(matrix.UserID("@root:"+s.name), "root", true)
	}
	path := "/_synapse/admin/v1/rooms/" + url.PathEscape(string(id)) + "/messages?dir=f&limit=1000"
	for from := ""; ; {
		var page struct {
			Chunk []hs.Event
			End   string
		}
		s.ask(s.admin, "GET", path+from, nil, &page)
		if all = append(all, page.Chunk...); page.End == "" {
			return all
		}
		from = "&from=" + url.QueryEscape(page.End)
	}
}

// ForgetTransactions restarts the server, which remembers them in memory.
func (s *Server) ForgetTransactions() {
	s.t.Helper()
	if err := s.Restart(); err != nil {
		s.t.Fatal(err)
	}
}

// Restart ends the server and starts it again.
func (s *Server) Restart() error {
	if err := s.process.end(); err != nil {
		return err
	}
	return s.run()
}
