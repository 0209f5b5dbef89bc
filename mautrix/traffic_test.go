package pawlmautrix

import (
	"encoding/json"
	"testing"

	"maunium.net/go/mautrix/id"
)

// oneTimeKeys are those in the body of an upload.
func oneTimeKeys(t *testing.T, body []byte) map[id.KeyID]json.RawMessage {
	t.Helper()
	var upload struct {
		Keys map[id.KeyID]json.RawMessage `json:"one_time_keys"`
	}
	if err := json.Unmarshal(body, &upload); err != nil {
		t.Fatal(err)
	}
	return upload.Keys
}
