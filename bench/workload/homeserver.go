package workload

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// homeserver is the server of a whole client, as the measuring program plays it,
// with the devices of others behind it, of which each user has one. It does what
// Synapse does: to-device events are deleted when a request has a token that covers
// them, the oldest one-time key is given out first, and an upload that has another
// key under an id that is there is refused whole.
type homeserver struct {
	ledger *ledger // judges what it is sent
	peers  map[matrix.UserID]*peer

	device   json.RawMessage // Bob's device_keys, as uploaded
	stock    []stocked       // of Bob's one-time keys, those that nobody claimed
	fallback ratchet.PublicKey
	seen     map[string]ratchet.PublicKey // every key that was in an upload, by its id
	queue    []toDevice                   // events that are not deleted
	last     uint64                       // number of the last event
	taken    uint64                       // of the last that some process has taken in
}

// stocked is a one-time key on the server.
type stocked struct {
	id  string
	key ratchet.PublicKey
}

// toDevice is an event for Bob.
type toDevice struct {
	number uint64
	raw    json.RawMessage
}

func newHomeserver(l *ledger) *homeserver {
	h := &homeserver{ledger: l, peers: map[matrix.UserID]*peer{}, seen: map[string]ratchet.PublicKey{}}
	for _, p := range l.peers {
		h.peers[p.account.User()] = p
	}
	return h
}

// with returns the server as it is, for another ledger to judge what comes.
func (h *homeserver) with(l *ledger) *homeserver {
	next := newHomeserver(l)
	next.device, next.fallback, next.last, next.taken = h.device, h.fallback, h.last, h.taken
	next.stock, next.queue, next.seen = slices.Clone(h.stock), slices.Clone(h.queue), maps.Clone(h.seen)
	return next
}

// send puts an event for Bob into the queue and returns its number.
func (h *homeserver) send(raw json.RawMessage) uint64 {
	h.last++
	h.queue = append(h.queue, toDevice{h.last, raw})
	return h.last
}

// sync answers /sync with at most so many to-device events behind a token, and
// returns their numbers, too.
func (h *homeserver) sync(since string, most int) (response []byte, numbers []uint64, err error) {
	var after uint64
	if since != "" {
		if after, err = strconv.ParseUint(since, 10, 64); err != nil {
			return nil, nil, fmt.Errorf("workload: a token that the server did not give: %q", since)
		}
	}
	h.queue = slices.DeleteFunc(h.queue, func(e toDevice) bool { return e.number <= after })
	next, events := max(after, h.last), []json.RawMessage{}
	for _, e := range h.queue[:min(most, len(h.queue))] {
		events, numbers, next = append(events, e.raw), append(numbers, e.number), e.number
	}
	response, err = json.Marshal(map[string]any{
		"next_batch":                       strconv.FormatUint(next, 10),
		"to_device":                        map[string]any{"events": events},
		"device_one_time_keys_count":       map[string]int{"signed_curve25519": len(h.stock)},
		"device_unused_fallback_key_types": []string{"signed_curve25519"},
	})
	return response, numbers, err
}

// covered notes that a process has taken in a response with these events.
func (h *homeserver) covered(numbers []uint64) {
	for _, n := range numbers {
		h.taken = max(h.taken, n)
	}
}

// pending returns how many events no process has taken in.
func (h *homeserver) pending() (n int) {
	for _, e := range h.queue {
		if e.number > h.taken {
			n++
		}
	}
	return n
}

// claim gives out one of Bob's keys.
func (h *homeserver) claim() ratchet.PublicKey {
	if len(h.stock) == 0 {
		return h.fallback
	}
	first := h.stock[0]
	h.stock = h.stock[1:]
	return first.key
}

// answer does what a request asks for.
func (h *homeserver) answer(r pawl.Request) (status int, response []byte, err error) {
	switch r.Kind {
	case pawl.KeysUpload:
		return h.upload(r.Body)
	case pawl.KeysQuery:
		response, err = h.query(r.Body)
	case pawl.KeysClaim:
		response, err = h.claims(r.Body)
	case pawl.SendToDevice:
		err = h.deliver(r.Body)
		response = []byte("{}")
	default:
		err = fmt.Errorf("workload: a request of kind %v", r.Kind)
	}
	return http.StatusOK, response, err
}

// upload takes Bob's keys. That a key, or an id, is in more than one upload is what
// the ledger counts; what the server does about it is another matter.
func (h *homeserver) upload(body []byte) (status int, response []byte, err error) {
	var u struct {
		Device   json.RawMessage                 `json:"device_keys"`
		OneTime  map[string]struct{ Key string } `json:"one_time_keys"`
		Fallback map[string]struct{ Key string } `json:"fallback_keys"`
	}
	if err := json.Unmarshal(body, &u); err != nil {
		return 0, nil, err
	}
	var fresh []stocked
	taken := false
	for _, name := range slices.Sorted(maps.Keys(u.OneTime)) {
		key, err := ratchet.ParsePublicKey(u.OneTime[name].Key)
		if err != nil {
			return 0, nil, err
		}
		if h.offered(stocked{name, key}) {
			h.ledger.wrong.Republished++
		}
		i := slices.IndexFunc(h.stock, func(s stocked) bool { return s.id == name })
		taken = taken || i >= 0 && h.stock[i].key != key
		if i < 0 {
			fresh = append(fresh, stocked{name, key})
		}
	}
	if taken {
		return http.StatusBadRequest, []byte(`{"errcode":"M_UNKNOWN","error":"One time key already exists"}`), nil
	}
	h.stock = append(h.stock, fresh...)
	for _, k := range u.Fallback {
		if h.fallback, err = ratchet.ParsePublicKey(k.Key); err != nil {
			return 0, nil, err
		}
	}
	if u.Device != nil {
		h.device = u.Device
	}
	response, err = json.Marshal(map[string]any{"one_time_key_counts": map[string]int{"signed_curve25519": len(h.stock)}})
	return http.StatusOK, response, err
}

// offered reports whether a key, or another one under its id, was in an upload
// before, and notes that it is in one now.
func (h *homeserver) offered(s stocked) bool {
	_, before := h.seen[s.id]
	for _, key := range h.seen {
		before = before || key == s.key
	}
	h.seen[s.id] = s.key
	return before
}

// query answers with the devices of users.
func (h *homeserver) query(body []byte) ([]byte, error) {
	var q struct {
		Users map[matrix.UserID]json.RawMessage `json:"device_keys"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	found := map[matrix.UserID]map[matrix.DeviceID]json.RawMessage{}
	for user := range q.Users {
		found[user] = map[matrix.DeviceID]json.RawMessage{}
		if user == bobUser && h.device != nil {
			found[user][bobDevice] = h.device
		}
		if p := h.peers[user]; p != nil {
			keys, err := p.account.DeviceKeys()
			if err != nil {
				return nil, err
			}
			found[user][p.account.Device()] = keys
		}
	}
	return json.Marshal(map[string]any{"device_keys": found})
}

// claims answers with the one-time keys of devices, of which each has one.
func (h *homeserver) claims(body []byte) ([]byte, error) {
	var q struct {
		Devices map[matrix.UserID]map[matrix.DeviceID]string `json:"one_time_keys"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	found := map[matrix.UserID]map[matrix.DeviceID]map[string]json.RawMessage{}
	for user := range q.Devices {
		p := h.peers[user]
		if p == nil {
			continue
		}
		key, err := p.account.SignedKey(p.key.Public(), false)
		if err != nil {
			return nil, err
		}
		found[user] = map[matrix.DeviceID]map[string]json.RawMessage{
			p.account.Device(): {"signed_curve25519:" + p.key.ID().String(): key},
		}
	}
	return json.Marshal(map[string]any{"one_time_keys": found})
}

// deliver hands Bob's events to the devices that they are for.
func (h *homeserver) deliver(body []byte) error {
	var sent struct {
		Messages map[matrix.UserID]map[matrix.DeviceID]json.RawMessage `json:"messages"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return err
	}
	for user, devices := range sent.Messages {
		p, known := h.peers[user]
		for _, content := range devices {
			if known { // and not an own device, of which Bob has no other
				h.ledger.hand(p, content)
			}
		}
	}
	return nil
}
