package oracle

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// encrypted is the type of events that carry ciphertext.
const encrypted = "m.room.encrypted"

// used is where a message key was first seen.
type used struct {
	body string
	path string
	at   int
}

// indices are those of sessions of rooms. A request that comes again is the same
// event to the server only with the same transaction id, which is in the path.
func indices(l Life) (broken []string) {
	seen := map[string]used{}
	for _, e := range l.ours("send") {
		if eventType(e, "/send/") != encrypted {
			continue
		}
		var content struct {
			Session string `json:"session_id"`
			Text    string `json:"ciphertext"`
		}
		body, ok := decode(e.Request, &content, &content.Text)
		m, err := group.ParseMessage(body)
		if !ok || err != nil {
			broken = append(broken, fmt.Sprintf("request %d: not a Megolm message: %v", e.Number, err))
			continue
		}
		key := fmt.Sprintf("index %d of session %s", m.Index, content.Session)
		first, known := seen[key]
		switch {
		case !known:
			seen[key] = used{string(body), e.Path, e.Number}
		case first.body != string(body):
			broken = append(broken, fmt.Sprintf("%s has two ciphertexts: requests %d and %d", key, first.at, e.Number))
		case first.path != e.Path:
			broken = append(broken, fmt.Sprintf("%s is in two events: requests %d and %d", key, first.at, e.Number))
		}
	}
	return broken
}

func decode(request []byte, into any, text *string) ([]byte, bool) {
	if json.Unmarshal(request, into) != nil {
		return nil, false
	}
	return unpadded.Decode(*text)
}

// eventType is the part of a path after a word.
func eventType(e hs.Exchange, after string) string {
	_, rest, _ := strings.Cut(e.Path, after)
	kind, _, _ := strings.Cut(rest, "/")
	return kind
}

// messageKeys are those of Olm: an index of a chain, which its ratchet key names.
func messageKeys(l Life) (broken []string) {
	seen := map[string]used{}
	for _, e := range l.ours("sendToDevice") {
		for _, o := range olmMessages(e) {
			m, err := o.normal()
			if err != nil {
				broken = append(broken, fmt.Sprintf("request %d: not an Olm message: %v", e.Number, err))
				continue
			}
			key := fmt.Sprintf("index %d of chain %s", m.Index, unpadded.Encode(m.RatchetKey[:]))
			body := string(m.Authenticated())
			first, known := seen[key]
			if !known {
				seen[key] = used{body: body, at: e.Number}
			} else if first.body != body {
				broken = append(broken, fmt.Sprintf("%s has two ciphertexts: requests %d and %d", key, first.at, e.Number))
			}
		}
	}
	return broken
}

// olmMessage is one of a request, as it is in base64.
type olmMessage struct {
	To   string `json:"-"` // the receiver's identity key
	Type ratchet.MessageType
	Body string
}

// olmMessages are all of a sendToDevice, in no order.
func olmMessages(e hs.Exchange) (all []olmMessage) {
	if eventType(e, "/sendToDevice/") != encrypted {
		return nil
	}
	var q struct {
		Messages map[matrix.UserID]map[matrix.DeviceID]struct {
			Text map[string]olmMessage `json:"ciphertext"`
		}
	}
	if json.Unmarshal(e.Request, &q) != nil {
		return []olmMessage{{}} // which is no message
	}
	for _, devices := range q.Messages {
		for _, content := range devices {
			for to, m := range content.Text {
				m.To = to
				all = append(all, m)
			}
		}
	}
	return all
}

func (o olmMessage) normal() (ratchet.NormalMessage, error) {
	body, ok := unpadded.Decode(o.Body)
	if !ok {
		return ratchet.NormalMessage{}, ratchet.ErrMalformed
	}
	if o.Type == ratchet.PreKey {
		m, err := ratchet.ParsePreKeyMessage(body)
		return m.Normal, err
	}
	return ratchet.ParseNormalMessage(body)
}

// clear finds what was sent unencrypted into rooms, all of which are encrypted, and
// keys that were sent unencrypted to devices.
func clear(l Life) (broken []string) {
	for _, e := range l.ours("send") {
		if kind := eventType(e, "/send/"); kind != encrypted {
			broken = append(broken, fmt.Sprintf("request %d: %s in the clear", e.Number, kind))
		}
	}
	for _, e := range l.ours("sendToDevice") {
		switch kind := eventType(e, "/sendToDevice/"); kind {
		case "m.room_key", "m.forwarded_room_key", "m.dummy", "m.secret.send":
			broken = append(broken, fmt.Sprintf("request %d: %s in the clear", e.Number, kind))
		}
	}
	return broken
}
