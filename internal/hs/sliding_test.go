package hs

import (
	"slices"
	"testing"
)

const slidingPath = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=0&pos="

func slideBody(since string) object {
	return object{
		"lists":      object{"all": object{"ranges": []any{[]int{0, 20}}, "timeline_limit": 5}},
		"extensions": object{"to_device": object{"enabled": true, "since": since}, "e2ee": object{"enabled": true}},
	}
}

func slidBodies(o object) []string {
	return bodies(object{"to_device": at(o, "extensions", "to_device")})
}

// TestSlidingSync: what did not change is missing, an answer that was lost comes
// again, and a position that is not known is refused.
func TestSlidingSync(t *testing.T) {
	s := started(t, alice, bob)
	a, b := s.client(t, alice, "A"), s.client(t, bob, "B")
	room := a.room(b)
	a.upload(object{"signed_curve25519:AAAAAQ": key("one")})
	first := a.must("POST", slidingPath, slideBody(""))
	if at(first, "extensions", "e2ee", "device_one_time_keys_count", "signed_curve25519") != 1.0 || at(first, "rooms", room, "initial") != true ||
		at(first, "extensions", "e2ee", "device_lists") != nil || at(first, "lists", "all", "count") != 1.0 {
		t.Errorf("the first answer is %v", first)
	}
	b.toDevice("t", a, "hello")
	b.must("PUT", base+"rooms/"+room+"/send/m.room.message/1", object{"body": "hi"})
	pos := first["pos"].(string)
	var second object
	for range 2 { // the first of them is lost
		second = a.must("POST", slidingPath+pos, slideBody(""))
		if !slices.Equal(slidBodies(second), []string{"hello"}) || at(second, "extensions", "e2ee", "device_one_time_keys_count") != nil ||
			at(second, "rooms", room, "num_live") != 1.0 || at(second, "rooms", room, "initial") != nil {
			t.Errorf("the second answer is %v", second)
		}
	}
	since := at(second, "extensions", "to_device", "next_batch").(string)
	b.claim(a)
	third := a.must("POST", slidingPath+second["pos"].(string), slideBody(since))
	if slidBodies(third) != nil || at(third, "extensions", "e2ee", "device_one_time_keys_count", "signed_curve25519") != 0.0 {
		t.Errorf("after a claim: %v", third)
	}
	s.ForgetPositions()
	a.expect(400, "M_UNKNOWN_POS", "POST", slidingPath+third["pos"].(string), slideBody(since))
}
