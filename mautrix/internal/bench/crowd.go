package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
)

// peers is how many devices a room's other members have.
const peers = 163

// began is when the devices of others were made.
var began = time.Unix(1_800_000_000, 0)

// crowd has the server know devices, each with a one-time key, and returns their users,
// whom it tells as members of every room. Each device is of a user of its own, but for the
// last, which is of the first user.
func (s *server) crowd(n int) ([]matrix.UserID, error) {
	var users []matrix.UserID
	for i := range n {
		user, device := matrix.UserID(fmt.Sprintf("@user%d:example.org", i)), matrix.DeviceID("DEVICE")
		if i > 0 && i == n-1 {
			user, device = users[0], "SECOND"
		} else {
			users = append(users, user)
		}
		upload, err := stranger(user, device)
		if err != nil {
			return nil, err
		}
		if err := s.take(user, device, upload); err != nil {
			return nil, err
		}
	}
	return users, s.join(append(users, bob))
}

// stranger is the upload of a device that does nothing but be there.
func stranger(user matrix.UserID, device matrix.DeviceID) ([]byte, error) {
	a, err := account.New(rand.Reader, user, device, began)
	if err != nil {
		return nil, err
	}
	pool, _, err := otk.Pool{}.Generate(rand.Reader, 1, began)
	if err != nil {
		return nil, err
	}
	_, offered := pool.Offer(1, began)
	return a.UploadBody(true, offered, otk.Fallback{})
}

// join has users be who is in every room.
func (s *server) join(users []matrix.UserID) (err error) {
	type member struct {
		Type    string            `json:"type"`
		ID      string            `json:"event_id"`
		Sender  matrix.UserID     `json:"sender"`
		Key     matrix.UserID     `json:"state_key"`
		Content map[string]string `json:"content"`
	}
	var chunk []member
	for i, u := range users {
		chunk = append(chunk, member{"m.room.member", fmt.Sprintf("$member%d", i), u, u, map[string]string{"membership": "join"}})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members, err = json.Marshal(map[string]any{"chunk": chunk})
	return err
}
