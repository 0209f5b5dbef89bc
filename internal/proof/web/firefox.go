package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// Opener is a browser, as far as every driver can: it opens pages.
type Opener interface {
	Open(address string) *Tab
	Version() string
}

// Firefox starts Firefox with a profile of its own, driven by WebDriver BiDi. Without one the
// test is skipped.
func Firefox(t testing.TB) Opener {
	t.Helper()
	program := lookFor(t, "Firefox", "firefox-esr", "firefox-esr", "firefox")
	profile := t.TempDir()
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(firefoxSettings), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0")
	cmd.Env = append(os.Environ(), "HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1")
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("start Firefox: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		cmd.Process.Kill() // of a profile that is dropped
		cmd.Wait()
	})
	address := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if found := bidiAddress.FindStringSubmatch(lines.Text()); found != nil {
				address <- found[1]
			}
		}
	}()
	b := &bidi{t: t, ctx: ctx}
	select {
	case where := <-address:
		if b.conn, _, err = websocket.Dial(ctx, where+"/session", nil); err != nil {
			t.Fatal(err)
		}
		b.conn.SetReadLimit(-1)
	case <-time.After(time.Minute):
		t.Fatal("Firefox has not said within a minute where it is driven")
	}
	var session struct {
		Capabilities struct{ BrowserVersion string }
	}
	b.ask("session.new", map[string]any{"capabilities": map[string]any{}}, &session)
	b.version = "Firefox " + session.Capabilities.BrowserVersion
	return b
}

var bidiAddress = regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`)

// firefoxSettings keep it from reaching anything but this machine.
const firefoxSettings = `user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "127.0.0.1");
user_pref("network.proxy.http_port", 9);
user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", 9);
user_pref("network.proxy.allow_hijacking_localhost", false);
user_pref("app.update.auto", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
`

// bidi is a browser that WebDriver BiDi drives: one command after the other.
type bidi struct {
	t       testing.TB
	ctx     context.Context
	version string
	mu      sync.Mutex
	conn    *websocket.Conn
	last    int
}

// Version implements Opener.
func (b *bidi) Version() string { return b.version }

// Open implements Opener. The tab has no context.
func (b *bidi) Open(address string) *Tab {
	b.t.Helper()
	var tab struct{ Context string }
	b.ask("browsingContext.create", map[string]any{"type": "tab"}, &tab)
	b.ask("browsingContext.navigate", map[string]any{"context": tab.Context, "url": address, "wait": "complete"}, nil)
	return &Tab{t: b.t, Close: sync.OnceFunc(func() {
		b.ask("browsingContext.close", map[string]any{"context": tab.Context}, nil)
	})}
}

// ask gives a command, which must succeed.
func (b *bidi) ask(method string, params, result any) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	b.last++
	err := wsjson.Write(ctx, b.conn, map[string]any{"id": b.last, "method": method, "params": params})
	var answer struct {
		ID             int
		Error, Message string
		Result         json.RawMessage
	}
	for err == nil && answer.ID != b.last {
		err = wsjson.Read(ctx, b.conn, &answer)
	}
	if err == nil && answer.Error != "" {
		err = fmt.Errorf("%s: %s", answer.Error, answer.Message)
	}
	if err == nil && result != nil {
		err = json.Unmarshal(answer.Result, result)
	}
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

// lookFor finds a program of a Debian package, or skips the test.
func lookFor(t testing.TB, what, pkg string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed: nothing was run in it (apt-get install %s)", what, pkg)
	return ""
}
