package matrix

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// kinds are the four types as functions, so that one test reads all.
var kinds = map[string]struct {
	parse func(string) (string, error)
	err   error
	good  []string
	bad   []string
}{
	"user id": {
		parse: func(s string) (string, error) { id, err := ParseUserID(s); return string(id), err },
		err:   ErrUserID,
		good: []string{
			"@alice:example.org", "@a:b", "@:example.org", "@Älice=/:1.2.3.4:8448", "@alice:[::1]:80", "@al ice:example.org",
			"@alice\n:example.org", "@\x1b[2J\x7f\u009b:example.org", "@ALICE/../x:example.org", "@a\u200b\u202e:b", "@a\u00a0:b", "@\ufffd:b", "@" + strings.Repeat("a", 242) + ":example.org",
		},
		bad: []string{
			"", "alice", "@alice", "@alice:", "alice:example.org", ":@alice", "!alice:example.org", "@alice:exa mple.org",
			"@alice:example.org/", "@alice\x00:example.org", "@\xff:example.org", "@alice:exämple.org", "@\xed\xa0\x80:b",
			"@alice:example.org\n", "@" + strings.Repeat("a", 243) + ":example.org",
		},
	},
	"device id": {
		parse: func(s string) (string, error) { id, err := ParseDeviceID(s); return string(id), err },
		err:   ErrDeviceID,
		good:  []string{"PHONE", "a", "dev:1/2", "ü", "My Laptop", " ", "../../etc", "a\n", "\x1b[2J", strings.Repeat("x", 255)},
		bad:   []string{"", "a\x00b", "\x00", "\xff", strings.Repeat("x", 256)},
	},
	"room id": {
		parse: func(s string) (string, error) { id, err := ParseRoomID(s); return string(id), err },
		err:   ErrRoomID,
		good: []string{
			"!a", "!qporfwt:example.org", "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "!with space\n:example.org", "!" + strings.Repeat("x", 254),
		},
		bad: []string{"", "!", "a", "@alice:example.org", "#room:example.org", "!\x00", "!\xff", "!" + strings.Repeat("x", 255)},
	},
	"event id": {
		parse: func(s string) (string, error) { id, err := ParseEventID(s); return string(id), err },
		err:   ErrEventID,
		good:  []string{"$a", "$143273582443PhrSn:example.org", "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg", "$" + strings.Repeat("x", 254)},
		bad:   []string{"", "$", "a", "!room:example.org", "$a\x00", "$\xff", "$" + strings.Repeat("x", 255)},
	},
}

func TestParse(t *testing.T) {
	for name, k := range kinds {
		for _, s := range k.good {
			if got, err := k.parse(s); err != nil || got != s {
				t.Errorf("%s %q: %q, %v", name, s, got, err)
			}
		}
		for _, s := range k.bad {
			if got, err := k.parse(s); !errors.Is(err, k.err) || got != "" {
				t.Errorf("%s %q: %q, %v, want %v", name, s, got, err, k.err)
			}
		}
	}
}

// TestErrorsShowLittle: a name of megabytes must not fill a log.
func TestErrorsShowLittle(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, k := range kinds {
		if _, err := k.parse(long + "\x00"); err == nil || len(err.Error()) > 200 {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

func TestJSONIsTheText(t *testing.T) {
	type event struct {
		Sender UserID              `json:"sender"`
		Room   RoomID              `json:"room_id"`
		To     map[DeviceID]string `json:"to"`
	}
	const text = `{"sender":"@alice:example.org","room_id":"!a","to":{"PHONE":"x"}}`
	var e event
	if err := json.Unmarshal([]byte(text), &e); err != nil || e.Sender != "@alice:example.org" || e.Room != "!a" || e.To["PHONE"] != "x" {
		t.Errorf("read as %v, %v", e, err)
	}
	if b, err := json.Marshal(e); err != nil || string(b) != text {
		t.Errorf("written as %s, %v", b, err)
	}
}
