package rooms

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/matrix"
)

// TestBodyBytes: the body of a request is what package json makes of it.
func TestBodyBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := perDevice{}
		for user, devices := range rapid.MapOf(rapid.String(), rapid.SliceOfN(rapid.String(), 1, 3)).Draw(t, "devices") {
			for _, id := range devices {
				if m[matrix.UserID(user)] == nil {
					m[matrix.UserID(user)] = map[matrix.DeviceID]json.RawMessage{}
				}
				m[matrix.UserID(user)][matrix.DeviceID(id)] = json.RawMessage(`{"a":[1,"b"]}`)
			}
		}
		got, err := m.body()
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(map[string]perDevice{"messages": m})
		if err != nil || string(got) != string(want) {
			t.Errorf("%s\nwant %s, %v", got, want, err)
		}
	})
}
