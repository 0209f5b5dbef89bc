package pawlmautrix

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/chzyer/readline" // what the example needs beside mautrix-go

	"maunium.net/go/mautrix"

	"github.com/pawlkv/pawl/internal/hs"
)

// twoLines are the lines of mautrix-go's example that change.
var twoLines = [][2]string{
	{`	"maunium.net/go/mautrix/crypto/cryptohelper"`, `	"github.com/pawlkv/pawl/mautrix"`},
	{`	cryptoHelper, err := cryptohelper.NewCryptoHelper(client, []byte("meow"), *database)`, `	cryptoHelper, err := pawlmautrix.NewCryptoHelper(client, []byte("meow"), *database)`},
}

// example builds mautrix-go's own example with two lines changed, and nothing else.
func example(t *testing.T) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "maunium.net/go/mautrix").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(string(bytes.TrimSpace(dir)), "example", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	before := strings.Split(string(source), "\n")
	after := slices.Clone(before)
	for _, change := range twoLines {
		at := slices.Index(after, change[0])
		if at < 0 {
			t.Fatalf("the example has no line %q", change[0])
		}
		after[at] = change[1]
		t.Logf("\n-%s\n+%s", change[0], change[1])
	}
	return buildInside(t, "example", []byte(strings.Join(after, "\n")))
}

// running is the example as a process.
type running struct {
	*exec.Cmd
	t        *testing.T
	keyboard io.WriteCloser
	lines    chan string
}

func run(t *testing.T, s hs.Homeserver, program, database string) *running {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "-homeserver", s.URL(), "-username", "alice", "-password", "secret", "-database", database)
	keyboard, out := begin(t, cmd)
	r := &running{cmd, t, keyboard, make(chan string, 1000)}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	go func() {
		defer close(r.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			r.lines <- scanner.Text()
		}
	}()
	return r
}

// tells waits until the program has printed something.
func (r *running) tells(what string) {
	r.t.Helper()
	var all []string
	for deadline := time.After(patience); ; {
		select {
		case line, more := <-r.lines:
			if all = append(all, line); strings.Contains(line, what) {
				return
			}
			if !more {
				r.t.Fatalf("the program ended without %q:\n%s", what, strings.Join(all, "\n"))
			}
		case <-deadline:
			r.t.Fatalf("the program did not tell %q:\n%s", what, strings.Join(all, "\n"))
		}
	}
}

// kill ends it as kill -9 does.
func (r *running) kill() {
	r.t.Helper()
	if err := r.Process.Kill(); err != nil {
		r.t.Fatal(err)
	}
	for range r.lines {
	}
	_ = r.Wait()
}

func (r *running) say(body string) {
	r.t.Helper()
	if _, err := io.WriteString(r.keyboard, body+"\n"); err != nil {
		r.t.Fatal(err)
	}
}

// mautrix-go's own example with two lines changed talks to a client of mautrix-go,
// encrypted, both ways; it is killed, and goes on as the same device.
func TestTwoLines(t *testing.T) {
	program := example(t)
	s := server(t)
	database := filepath.Join(t.TempDir(), "mautrix-example.db")
	peer := startMautrix(t, s, bob, "LAPTOP")
	r := makeRoom(t, peer)
	bot := run(t, s, program, database)
	if _, err := peer.client.InviteUser(t.Context(), r, &mautrix.ReqInviteUser{UserID: alice}); err != nil {
		t.Fatal(err)
	}
	bot.tells("Joined room after invite")
	for _, part := range []string{"before", "after"} {
		peer.say(r, part+" to it")
		bot.tells(part + " to it")
		bot.say(part + " from it")
		if e := peer.reads(part + " from it"); !e.Mautrix.WasEncrypted {
			t.Errorf("%s from it: not encrypted", part)
		}
		bot.kill()
		if part == "before" {
			bot = run(t, s, program, database)
		}
	}
	check(t, s)
	devices := map[string]bool{}
	for _, e := range s.Exchanges("login") {
		var answer struct {
			Device string `json:"device_id"`
		}
		if err := json.Unmarshal(e.Answer, &answer); err != nil {
			t.Fatal(err)
		}
		devices[answer.Device] = true
	}
	if len(devices) != 1 {
		t.Errorf("it logged in as %v, want one device", devices)
	}
}
