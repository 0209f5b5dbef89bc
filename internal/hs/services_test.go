package hs

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestApplicationService: it speaks for its users' devices, and is pushed their
// to-device events, rooms and counts, as often as it takes.
func TestApplicationService(t *testing.T) {
	const ghost = "@bridge_ghost:example.org"
	s := started(t, alice, ghost)
	var pushed []object
	refuse := true
	bridge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var o object
		if json.NewDecoder(r.Body).Decode(&o) != nil || r.Header.Get("Authorization") != "Bearer hs" || refuse {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		pushed = append(pushed, o)
	}))
	defer bridge.Close()
	service := Service{URL: bridge.URL, ServerToken: "hs", Token: "as", Prefix: "@bridge_"}
	s.Register(service)
	a := s.client(t, alice, "A")
	g := &client{t, s, ghost, "GHOST", "as", nil}
	login := g.must("POST", base+"login", object{"type": "m.login.application_service", "identifier": object{"user": ghost}, "device_id": "GHOST"})
	if login["device_id"] != "GHOST" {
		t.Fatalf("the login is %v", login)
	}
	g.expect(403, "M_FORBIDDEN", "POST", base+"login", object{"type": "m.login.application_service", "identifier": object{"user": alice}})
	mask := "?user_id=" + ghost + "&device_id=GHOST"
	g.must("POST", base+"keys/upload"+mask, object{"one_time_keys": object{"signed_curve25519:AAAAAQ": key("one")}})
	g.expect(401, "M_UNKNOWN_TOKEN", "POST", base+"keys/upload?user_id="+string(alice), nil)
	room := a.room()
	g.must("POST", base+"join/"+room+mask, nil)
	a.toDevice("t", g, "hello")

	transaction, err := s.Transaction(service)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Push(t.Context(), transaction); err == nil {
		t.Error("a refused transaction was taken")
	}
	refuse = false
	for range 2 {
		if err := s.Push(t.Context(), transaction); err != nil {
			t.Fatal(err)
		}
	}
	if len(pushed) != 2 || at(pushed[1], "org.matrix.msc3202.device_one_time_keys_count", ghost, "GHOST", "signed_curve25519") != 1.0 {
		t.Fatalf("pushed are %v", pushed)
	}
	event := list(pushed[1], "de.sorunome.msc2409.to_device")[0]
	if at(event, "content", "body") != "hello" || at(event, "to_device_id") != "GHOST" || len(list(pushed[1], "events")) == 0 ||
		len(list(pushed[1], "org.matrix.msc3202.device_lists", "changed")) == 0 {
		t.Errorf("the body is %v", pushed[1])
	}
	if transaction, err = s.Transaction(service); err != nil {
		t.Fatal(err)
	}
	if err := s.Push(t.Context(), transaction); err != nil {
		t.Fatal(err)
	}
	if got := list(pushed[2], "de.sorunome.msc2409.to_device"); len(got) > 0 || len(list(pushed[2], "events")) > 0 {
		t.Errorf("the next transaction has %v", pushed[2])
	}
}
