package oracle

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/ratchet"
)

// offers are the one-time keys in uploads. One that may have arrived is never in
// another body: a server takes it again after it was claimed, and gives it out twice.
func offers(l Life) (broken []string) {
	for _, d := range l.Ours {
		keys, ids := map[ratchet.PublicKey]int{}, map[string]ratchet.PublicKey{}
		for _, e := range l.asked("keys/upload", func(by Device) bool { return by == d }) {
			one, _ := uploaded(e)
			for _, id := range slices.Sorted(maps.Keys(one)) {
				key := one[id]
				if at, arrived := keys[key]; arrived {
					broken = append(broken, fmt.Sprintf("one-time key %s is in two uploads: requests %d and %d", id, at, e.Number))
				}
				if other, known := ids[id]; known && other != key {
					broken = append(broken, fmt.Sprintf("request %d: %s names another key before", e.Number, id))
				}
				ids[id] = key
				if mayHaveArrived(e) {
					keys[key] = e.Number
				}
			}
		}
	}
	return broken
}

// mayHaveArrived reports whether a sender must fear that the server has taken a
// body: unless it was told that it was not even looked at.
func mayHaveArrived(e hs.Exchange) bool {
	refused := slices.Contains([]int{
		http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests,
	}, e.Status)
	return e.Lost || !refused
}

// uploaded are the keys of an upload: one-time keys by id, and fallback keys.
func uploaded(e hs.Exchange) (oneTime map[string]ratchet.PublicKey, fallback []ratchet.PublicKey) {
	type keys = map[string]struct{ Key string }
	var q struct {
		OneTime  keys `json:"one_time_keys"`
		Fallback keys `json:"fallback_keys"`
	}
	if json.Unmarshal(e.Request, &q) != nil {
		return nil, nil
	}
	oneTime = map[string]ratchet.PublicKey{}
	for id, k := range q.OneTime {
		oneTime[id], _ = ratchet.ParsePublicKey(k.Key)
	}
	for _, k := range q.Fallback {
		key, _ := ratchet.ParsePublicKey(k.Key)
		fallback = append(fallback, key)
	}
	return oneTime, fallback
}

// openings are the sessions that others opened with keys of ours.
func openings(l Life) (broken []string) {
	ours := map[ratchet.PublicKey]string{}
	for _, e := range l.ours("keys/upload") {
		one, _ := uploaded(e)
		for id, key := range one {
			ours[key] = id
		}
	}
	opened := map[ratchet.PublicKey]ratchet.SessionID{}
	for _, e := range l.asked("sendToDevice", func(Device) bool { return true }) {
		for _, o := range olmMessages(e) {
			body, _ := unpadded.Decode(o.Body)
			m, err := ratchet.ParsePreKeyMessage(body)
			id, known := ours[m.OneTimeKey]
			if o.Type != ratchet.PreKey || err != nil || !known {
				continue
			}
			if first, was := opened[m.OneTimeKey]; was && first != m.SessionID() {
				broken = append(broken, fmt.Sprintf("request %d: one-time key %s opens a second session", e.Number, id))
			}
			opened[m.OneTimeKey] = m.SessionID()
		}
	}
	return broken
}
