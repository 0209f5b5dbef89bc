package synapse

import (
	"crypto/rand"
	"encoding/pem"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// StartDendrite runs a program that is Dendrite, until the test ends. It is another
// server than Synapse: its refusals have other words, and some no code.
func StartDendrite(t testing.TB, program, name string) *Server {
	t.Helper()
	return start(t, name, kind{
		name: "dendrite", missing: "is it built at " + program + "? (make dendrite)",
		configure: (*Server).configureDendrite,
		command: func(s *Server) *exec.Cmd {
			// The shell ends it when its own standard input ends: also when whoever
			// started it is killed. It may finish: one that is killed has lost events
			// that it had accepted.
			return exec.Command("sh", "-c", `"$0" "$@" & program=$!; cat > /dev/null; kill $program; wait`,
				program, "-config", filepath.Join(s.dir, "dendrite.yaml"), "-unix-socket", filepath.Join(s.dir, "socket"))
		},
		timeline: (*Server).messages,
		// Passwords have eight characters.
		password: func(text string) string { return text + text },
	})
}

func (s *Server) configureDendrite() error {
	in := func(name string) string { return filepath.Join(s.dir, name) }
	seed := make([]byte, 32)
	rand.Read(seed)
	key := pem.EncodeToMemory(&pem.Block{Type: "MATRIX PRIVATE KEY", Headers: map[string]string{"Key-ID": "ed25519:a1"}, Bytes: seed})
	if err := os.WriteFile(in("key.pem"), key, 0o600); err != nil {
		return err
	}
	database := func(name string) object { return object{"connection_string": "file:" + in(name+".db")} }
	return write(in("dendrite.yaml"), object{
		"version": 2,
		"global": object{
			"server_name": s.name, "private_key": in("key.pem"), "disable_federation": true,
			"jetstream": object{"storage_path": in("jetstream"), "in_memory": false},
			"cache":     object{"max_size_estimated": "64mb", "max_age": "1h"},
		},
		"client_api":     object{"registration_disabled": true, "registration_shared_secret": s.secret, "rate_limiting": object{"enabled": false}},
		"federation_api": object{"database": database("federation")},
		"key_server":     object{"database": database("keys")},
		"media_api":      object{"database": database("media"), "base_path": in("media")},
		"mscs":           object{"database": database("mscs")},
		"relay_api":      object{"database": database("relay")},
		"room_server":    object{"database": database("rooms")},
		"sync_api":       object{"database": database("sync")},
		"user_api":       object{"account_database": database("accounts"), "bcrypt_cost": 4},
		"logging":        []object{{"type": "std", "level": "warn"}},
	})
}

// messages are a room's events as who made a room sees them: there is no way for
// administrators.
func (s *Server) messages(id matrix.RoomID) (all []hs.Event) {
	s.t.Helper()
	token := ""
	for _, e := range s.Exchanges() {
		if strings.Contains(e.Path, "/createRoom") {
			token = s.Token(e.User, e.Device)
		}
	}
	path := "/_matrix/client/v3/rooms/" + url.PathEscape(string(id)) + "/messages?dir=b&limit=100"
	for from := ""; ; {
		var page struct {
			Chunk []hs.Event
			End   string
		}
		s.ask(token, "GET", path+from, nil, &page)
		if all = append(all, page.Chunk...); page.End == "" || len(page.Chunk) == 0 {
			slices.Reverse(all)
			return all
		}
		from = "&from=" + url.QueryEscape(page.End)
	}
}
