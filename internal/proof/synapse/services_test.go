package synapse

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/matrix"
)

// A transaction that was not taken comes again without its to-device events. They are
// still in the device's sync.
func TestTransactionsAgainHaveNoLetters(t *testing.T) {
	if *where == "" {
		t.Skip("without Synapse: run make e2e")
	}
	const bot = matrix.UserID("@bot:example.org")
	type transaction struct {
		path    string
		letters int
	}
	came := make(chan transaction, 100)
	refuse := true
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Letters []any `json:"de.sorunome.msc2409.to_device"`
		}
		if json.NewDecoder(r.Body).Decode(&body) != nil || !strings.Contains(r.URL.Path, "/transactions/") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		came <- transaction{r.URL.Path, len(body.Letters)}
		if refuse && len(body.Letters) > 0 {
			refuse = false
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("{}"))
	}))
	defer service.Close()
	s := Start(t, *where, "example.org", Service{
		"id": "service", "url": service.URL, "as_token": "as", "hs_token": "hs", "sender_localpart": "sender", "receive_ephemeral": true, "org.matrix.msc3202": true,
		"namespaces": object{"users": []object{{"regex": "^@bot:example\\.org$", "exclusive": true}}},
	})
	b := enter(t, s, "bob")
	as := &client{t, s, bot, "as", 0}
	as.gets("POST", "register", object{"type": "m.login.application_service", "username": "bot", "inhibit_login": true})
	in := as.gets("POST", "login", object{"type": "m.login.application_service", "identifier": object{"type": "m.id.user", "user": bot}, "device_id": device})
	d := &client{t, s, bot, in["access_token"].(string), 0}
	b.writes(d, "1")
	var refused transaction
	for refused = <-came; refused.letters == 0; refused = <-came {
	}
	if again := <-came; again.path != refused.path || again.letters != 0 {
		t.Errorf("after %v, which was refused, came %v: want the same without to-device events", refused, again)
	}
	if letters, _ := d.letters(""); len(letters) != 1 {
		t.Errorf("the device's sync has %d to-device events, want 1", len(letters))
	}
}
