package pawlmautrix

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// around is what stands around the bot of the README: a program that names nothing else.
const around = `package main

import (
	"context"

	"go.mau.fi/util/exerrors"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"github.com/pawlkv/pawl/mautrix"
)

func main() {
	ctx := context.Background()
`

// readmeBot builds the bot of the README, for a homeserver that is somewhere else.
func readmeBot(t *testing.T, server string) string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	const begin, address = "```go\nclient := exerrors.Must(", `"https://example.org"`
	_, lines, found := strings.Cut(string(readme), begin)
	lines, _, closed := strings.Cut(strings.TrimPrefix(begin, "```go\n")+lines, "```")
	if !found || !closed || strings.Count(lines, address) != 1 {
		t.Fatalf("README.md has no bot, or not for %s: %q", address, lines)
	}
	if n := strings.Count(lines, "\n"); n > 11 {
		t.Errorf("the bot has %d lines", n)
	}
	program := around + strings.ReplaceAll(lines, address, `"`+server+`"`) + "}\n"
	return buildInside(t, "readmebot", []byte(program))
}

// buildInside builds a program as if it were a package inside this module, whose
// dependencies it has.
func buildInside(t *testing.T, name string, source []byte) string {
	t.Helper()
	folder := t.TempDir()
	changed := filepath.Join(folder, "main.go")
	if err := os.WriteFile(changed, source, 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "internal", name, "main.go"): changed}})
	if err != nil {
		t.Fatal(err)
	}
	list, program := filepath.Join(folder, "overlay.json"), filepath.Join(folder, name)
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "goolm", "-overlay", list, "-o", program, "./internal/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// knows waits until a device of a user has uploaded its keys, and asks for them.
func (p *program) knows(s hs.Homeserver, user id.UserID) {
	p.t.Helper()
	uploaded := func(e hs.Exchange) bool {
		return string(e.User) == string(user) && bytes.Contains(e.Request, []byte(`"device_keys"`)) && e.Status == http.StatusOK
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !slices.ContainsFunc(s.Exchanges("keys/upload"), uploaded); {
		select {
		case <-tick.C:
		case <-deadline:
			p.t.Fatalf("%s uploads no keys", user)
		}
	}
	machine := p.helper.(*cryptohelper.CryptoHelper).Machine()
	if _, err := machine.FetchKeys(p.t.Context(), []id.UserID{user}, true); err != nil {
		p.t.Fatal(err)
	}
}

const botUser = id.UserID("@bot:example.org")

// The bot of the README answers, encrypted, and answers again as the same device after
// it was killed.
func TestREADMEBot(t *testing.T) {
	s := server(t, botUser)
	peer := startMautrix(t, s, bob, "LAPTOP")
	room := makeRoom(t, peer)
	bot, dir := readmeBot(t, s.URL()), t.TempDir()
	if _, err := peer.client.InviteUser(t.Context(), room, &mautrix.ReqInviteUser{UserID: botUser}); err != nil {
		t.Fatal(err)
	}
	if _, err := join(t, s, s.Login(matrix.UserID(botUser), "BROWSER"), room); err != nil {
		t.Fatal(err)
	}
	for _, say := range []string{"hello", "still there?"} {
		cmd := exec.Command(bot)
		cmd.Dir = dir
		var said strings.Builder
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		peer.knows(s, botUser)
		peer.say(room, say)
		e := peer.reads("you said " + say)
		if !e.Mautrix.WasEncrypted || e.Sender != botUser {
			t.Errorf("it answered %+v", e)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatalf("%v: %s", err, said.String())
		}
		_ = cmd.Wait() // it was killed
	}
	devices := map[string]bool{}
	for _, e := range s.Exchanges("send") {
		if string(e.User) == string(botUser) {
			devices[string(e.Device)] = true
		}
	}
	if len(devices) != 1 {
		t.Errorf("it sent as %v, want one device", devices)
	}
}
