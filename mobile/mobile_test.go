package mobile

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/pawlkv/pawl/internal/calls"
)

func member(t *testing.T, text, name string) string {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &all); err != nil || all[name] == nil {
		t.Fatalf("%s has no %s: %v", text, name, err)
	}
	return string(all[name])
}

func handle(t *testing.T, text, name string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(member(t, text, name), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCalls: a device is made, told of and closed, and an error's message has its code.
func TestCalls(t *testing.T) {
	path, _ := json.Marshal(filepath.Join(t.TempDir(), "device.db"))
	opened, err := Open(`{"v":1,"engine":"sqlite","path":`+string(path)+`,"secret":"key"}`, make([]byte, 32), -1, 0)
	if err != nil {
		t.Fatal(err)
	}
	store := handle(t, opened, "store")
	made, err := Call(store, "create", `{"v":1,"user":"@alice:example.org","device":"PHONE"}`, nil, -1, 0)
	if err != nil {
		t.Fatal(err)
	}
	alice := handle(t, made, "machine")
	is, err := Call(alice, "identity", "", nil, -1, 0)
	if err != nil || member(t, is, "user_id") != `"@alice:example.org"` {
		t.Errorf("it is %s, %v", is, err)
	}
	begun, err := Stream(alice, "export_room_keys", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Next(handle(t, begun, "stream"), -1, 0); !errors.Is(err, calls.ErrEnd) || member(t, err.Error(), "code") != `"end"` {
		t.Errorf("without keys: %v", err)
	}
	token := Token()
	if err := Cancel(token); err != nil {
		t.Error(err)
	}
	if _, err := Call(alice, "check", "", nil, -1, token); err == nil || member(t, err.Error(), "code") != `"canceled"` {
		t.Errorf("with a token that was canceled: %v", err)
	}
	if _, err := Call(alice, "check", "", nil, -1, alice); !errors.Is(err, calls.ErrHandle) {
		t.Errorf("a machine as a token: %v", err)
	}
	if err := Close(store); err != nil {
		t.Error(err)
	}
	if err := Close(alice); !errors.Is(err, calls.ErrHandle) || member(t, err.Error(), "code") != `"handle"` {
		t.Errorf("closing it after its store: %v", err)
	}
	if err := Cancel(alice); !errors.Is(err, calls.ErrHandle) {
		t.Errorf("canceling it: %v", err)
	}
}
