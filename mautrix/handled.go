package pawlmautrix

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// importedAt names the time at which the account was read from a database of
// mautrix-go's, as an extra record.
const importedAt = "imported"

// earlier knows which Olm messages mautrix-go had handled before the device was
// imported. Their keys are gone, and some of their sessions: to Pawl one that comes
// again would look like a message that nobody can read.
type earlier struct {
	looked bool
	own    string    // the device's Curve25519 key
	until  time.Time // none comes again after that; zero: the device was not imported
}

// drop leaves out the messages that were handled, and returns which place in what came
// each of the others had.
func (e *earlier) drop(ctx context.Context, s *Store, events []entry) (left []entry, places []int, err error) {
	if err := e.look(ctx, s); err != nil {
		return nil, nil, err
	}
	for i, one := range events {
		if time.Now().Before(e.until) {
			handled, err := e.handled(ctx, s, one)
			if err != nil {
				return nil, nil, err
			}
			if handled {
				continue
			}
		}
		left, places = append(left, one), append(places, i)
	}
	return left, places, nil
}

// left returns a transaction without the messages that were handled. Places are counted
// in what it returns.
func (e *earlier) left(ctx context.Context, s *Store, transaction []byte) ([]byte, error) {
	if err := e.look(ctx, s); err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if !time.Now().Before(e.until) || json.Unmarshal(transaction, &members) != nil {
		return transaction, nil // whoever parses it says what is wrong
	}
	changed := false
	for name, raw := range members {
		var came []json.RawMessage
		if !isToDevice(name) || json.Unmarshal(raw, &came) != nil {
			continue
		}
		left := make([]json.RawMessage, 0, len(came))
		for _, raw := range came {
			var one entry
			if json.Unmarshal(raw, &one) == nil {
				handled, err := e.handled(ctx, s, one)
				if err != nil {
					return nil, err
				}
				if handled {
					continue
				}
			}
			left = append(left, raw)
		}
		if len(left) == len(came) {
			continue
		}
		changed = true
		var err error
		if members[name], err = json.Marshal(left); err != nil {
			return nil, err
		}
	}
	if !changed {
		return transaction, nil
	}
	return json.Marshal(members)
}

// look finds out, once, whether the device was imported.
func (e *earlier) look(ctx context.Context, s *Store) error {
	if e.looked {
		return nil
	}
	at, imported, err := read[time.Time](ctx, s, spaceAccount, importedAt)
	if err != nil {
		return err
	}
	own, err := s.machine.Identity(ctx)
	if err != nil {
		return err
	}
	if imported {
		e.until = at.Add(hashLife)
	}
	e.looked, e.own = true, own.Curve25519.String()
	return nil
}

func (e *earlier) handled(ctx context.Context, s *Store, one entry) (bool, error) {
	if one.Type != event.ToDeviceEncrypted.Type {
		return false, nil
	}
	var content struct {
		Ciphertext map[string]struct {
			Body string `json:"body"`
		} `json:"ciphertext"`
		Algorithm id.Algorithm `json:"algorithm"`
	}
	if json.Unmarshal(one.Content, &content) != nil || content.Algorithm != id.AlgorithmOlmV1 {
		return false, nil // Pawl says what is wrong with it
	}
	body, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(content.Ciphertext[e.own].Body, "="))
	if err != nil || len(body) == 0 {
		return false, nil
	}
	hash := sha256.Sum256(body)
	_, handled, err := read[time.Time](ctx, s, spaceHashes, hex.EncodeToString(hash[:]))
	return handled, err
}
