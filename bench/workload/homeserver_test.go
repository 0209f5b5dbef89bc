package workload

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/ratchet"
)

// entered is a server and its ledger, with Bob and some peers in the room.
func entered(t *testing.T, peers int) (*preparation, *homeserver) {
	t.Helper()
	p, _ := prepared(t, Room, result.Params{Peers: peers})
	l := newLedger(p)
	l.room = p.server.ledger.room.clone()
	return p, p.server.with(l)
}

// TestEntered: Bob's store is that of a client whose keys are on the server and who has
// sessions with all, and nothing is left to be sent.
func TestEntered(t *testing.T) {
	_, engine := prepared(t, Share, result.Params{Peers: 3})
	store, err := pawl.Open(t.Context(), engine, storeKey())
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.Machine(t.Context(), bobUser, bobDevice)
	if err != nil {
		t.Fatal(err)
	}
	if broken, err := m.Check(t.Context()); err != nil || len(broken) > 0 {
		t.Errorf("check: %q, %v", broken, err)
	}
	in, err := m.Inspect(t.Context())
	if err != nil || len(in.Peers) != 3 || in.Keys.Published != 50 || in.Records["group-in"] != 4 {
		t.Errorf("%d peers, %d keys published, %v, %v", len(in.Peers), in.Keys.Published, in.Records, err)
	}
	if all, err := m.OutgoingRequests(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("there is more to send: %v, %v", all, err)
	}
	if room, err := m.Room(t.Context(), theRoom); err != nil || !room.Shared || room.Settings.Messages != group.MaxMessages {
		t.Errorf("%+v, %v", room, err)
	}
}

// TestServerQueue: events come again until a request has a token that covers them, in
// their order and at most so many.
func TestServerQueue(t *testing.T) {
	h := newHomeserver(&ledger{})
	for i := range 5 {
		h.send(fmt.Appendf(nil, `{"n":%d}`, i))
	}
	for _, c := range []struct {
		since string
		next  string
		want  []uint64
	}{
		{"", "2", []uint64{1, 2}}, {"", "2", []uint64{1, 2}}, {"2", "4", []uint64{3, 4}},
		{"", "4", []uint64{3, 4}}, // the first two are gone, whatever an older token asks for
		{"4", "5", []uint64{5}}, {"5", "5", nil}, {"4", "5", nil},
	} {
		response, numbers, err := h.sync(c.since, 2)
		var got struct {
			Next string `json:"next_batch"`
		}
		if err := json.Unmarshal(response, &got); err != nil {
			t.Fatal(err)
		}
		if err != nil || !slices.Equal(numbers, c.want) || got.Next != c.next {
			t.Errorf("since %q there come %v up to %q, %v; want %v up to %q", c.since, numbers, got.Next, err, c.want, c.next)
		}
	}
	if _, _, err := h.sync("somewhere", 2); err == nil {
		t.Error("a token that nobody gave is taken")
	}
}

// uploadOf is a body with one-time keys.
func uploadOf(t *testing.T, keys ...stocked) []byte {
	t.Helper()
	all := object{}
	for _, k := range keys {
		all["signed_curve25519:"+k.id] = object{"key": k.key.String()}
	}
	body, err := json.Marshal(object{"one_time_keys": all})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestServerKeys: a key, or an id, that is uploaded twice is counted whatever becomes
// of it, and another key under an id that is there makes the server refuse all.
func TestServerKeys(t *testing.T) {
	h := newHomeserver(&ledger{})
	a, b, c := ratchet.PublicKey{1}, ratchet.PublicKey{2}, ratchet.PublicKey{3}
	for i, u := range []struct {
		body   []byte
		status int
		twice  int
		stock  int
	}{
		{uploadOf(t, stocked{"A", a}, stocked{"B", b}), http.StatusOK, 0, 2},
		{uploadOf(t, stocked{"A", a}), http.StatusOK, 1, 2},                          // again
		{uploadOf(t, stocked{"B", c}, stocked{"D", c}), http.StatusBadRequest, 3, 2}, // another under its id; and one key under two ids
		{uploadOf(t, stocked{"E", ratchet.PublicKey{5}}), http.StatusOK, 3, 3},       // one that is new
		{uploadOf(t, stocked{"F", a}), http.StatusOK, 4, 4},                          // a key under another id
	} {
		status, _, err := h.upload(u.body)
		if err != nil || status != u.status || h.ledger.wrong.Republished != u.twice || len(h.stock) != u.stock {
			t.Errorf("upload %d: %d, %v, %d twice, %d in stock; want %d, %d, %d", i, status, err, h.ledger.wrong.Republished, len(h.stock), u.status, u.twice, u.stock)
		}
	}
	if first := h.claim(); first != a {
		t.Errorf("the first key given out is %v, want the oldest", first)
	}
}
