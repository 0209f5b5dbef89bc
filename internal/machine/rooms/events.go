package rooms

import (
	"encoding/json"
	"math"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
)

// Membership is what a user is in a room (Matrix specification, m.room.member).
type Membership string

// The memberships. Any other is none: as if they had left.
const (
	Join   Membership = "join"
	Invite Membership = "invite"
	Leave  Membership = "leave"
	Ban    Membership = "ban"
	Knock  Membership = "knock"
)

// gone reports that the user is not to have keys.
func (m Membership) gone() bool { return m != Join && m != Invite }

// members returns what an object has under these names, spelled just so: a decoder
// into a struct takes any capitals.
func members(content []byte) map[string]json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(content, &all) != nil {
		return nil
	}
	return all
}

func text(raw json.RawMessage) (s string) {
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func parseMember(content []byte) Membership { return Membership(text(members(content)["membership"])) }

// encryption is the content of m.room.encryption.
type encryption struct {
	megolm   bool
	messages int           // 0: it does not say
	age      time.Duration // 0: it does not say
}

func parseEncryption(content []byte) (e encryption) {
	m := members(content)
	e.megolm = text(m["algorithm"]) == account.Megolm
	if n, ok := number(m["rotation_period_msgs"]); ok {
		e.messages = int(min(max(n, 1), group.MaxMessages))
	}
	if ms, ok := number(m["rotation_period_ms"]); ok {
		e.age = time.Duration(min(max(ms, float64(group.MinAge.Milliseconds())), float64(group.MaxAge.Milliseconds()))) * time.Millisecond
	}
	return e
}

// number reads a number of any size: one that no float holds is as large as any.
func number(raw json.RawMessage) (float64, bool) {
	var n json.Number
	if len(raw) == 0 || raw[0] == '"' || json.Unmarshal(raw, &n) != nil || n == "" {
		return 0, false
	}
	f, err := n.Float64()
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// parseVisibility reads m.room.history_visibility. What nobody knows is taken for
// one that shows nothing to those who come later.
func parseVisibility(content []byte) group.Visibility {
	switch text(members(content)["history_visibility"]) {
	case "invited":
		return group.Invited
	case "shared":
		return group.Shared
	case "world_readable":
		return group.WorldReadable
	}
	return group.Joined
}
