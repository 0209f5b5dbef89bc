package oracle

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// fallbacks are the fallback keys in uploads. One of which a device knows that it was
// used is in no later body: a server would call it unused, and give it out again. A
// device knows once it has taken in the message that opens a session with the key, which
// it shows by syncing from the token that came with it. (A body that was made before
// and is sent after that would be taken for broken. For that its key must have been in
// another body before, and all one-time keys of that one be used up meanwhile.)
func fallbacks(l Life) (broken []string) {
	for _, d := range l.Ours {
		ours := map[ratchet.PublicKey]bool{}
		used := map[ratchet.PublicKey]int{}         // and the request that shows it
		brought := map[string][]ratchet.PublicKey{} // by the token that came with them
		for _, e := range l.Exchanges {
			if (Device{e.User, e.Device}) != d {
				continue
			}
			switch e.Endpoint {
			case "keys/upload":
				_, keys := uploaded(e)
				for _, key := range keys {
					if at, known := used[key]; known {
						broken = append(broken, fmt.Sprintf("request %d: a fallback key is uploaded again that was known to be used at request %d", e.Number, at))
					}
					ours[key] = true
				}
			case "sync":
				for _, key := range brought[since(e)] {
					if _, known := used[key]; !known && ours[key] {
						used[key] = e.Number
					}
				}
				if next, keys := openers(e); len(keys) > 0 {
					brought[next] = append(brought[next], keys...)
				}
			}
		}
	}
	return broken
}

// since is the token that a sync goes on from.
func since(e hs.Exchange) string {
	_, query, _ := strings.Cut(e.Path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	return values.Get("since")
}

// openers are the keys with which the messages of a sync open sessions, and the token
// that came with them.
func openers(e hs.Exchange) (next string, keys []ratchet.PublicKey) {
	var a struct {
		Next     string `json:"next_batch"`
		ToDevice struct {
			Events []struct {
				Type    string
				Sender  matrix.UserID
				Content struct {
					Text map[string]json.RawMessage `json:"ciphertext"`
				}
			}
		} `json:"to_device"`
	}
	if e.Status != http.StatusOK || e.Lost || json.Unmarshal(e.Answer, &a) != nil {
		return "", nil
	}
	for _, event := range a.ToDevice.Events {
		if event.Type != encrypted {
			continue
		}
		for _, text := range event.Content.Text {
			var o olmMessage
			if json.Unmarshal(text, &o) != nil || o.Type != ratchet.PreKey {
				continue
			}
			body, _ := unpadded.Decode(o.Body)
			if m, err := ratchet.ParsePreKeyMessage(body); err == nil && !slices.Contains(keys, m.OneTimeKey) {
				keys = append(keys, m.OneTimeKey)
			}
		}
	}
	return a.Next, keys
}
