package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// WebKit starts WebKitGTK's browser of tests, driven by WebDriver. Without it, or without a
// display and Xvfb, which makes one, the test is skipped.
func WebKit(t testing.TB) Opener {
	t.Helper()
	program := lookFor(t, "WebKitGTK", "webkit2gtk-driver", "WebKitWebDriver")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	cmd := exec.Command(program, "--host=127.0.0.1", fmt.Sprint("--port=", port))
	if os.Getenv("DISPLAY") == "" {
		xvfb := lookFor(t, "Xvfb", "xvfb", "xvfb-run")
		cmd = exec.Command(xvfb, append([]string{"-a"}, cmd.Args...)...)
	}
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CACHE_HOME="+home, "XDG_CONFIG_HOME="+home)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that all of it can be ended
	if err := cmd.Start(); err != nil {
		t.Fatalf("start WebKitWebDriver: %v", err)
	}
	w := &webDriver{t: t, url: fmt.Sprintf("http://127.0.0.1:%d/session", port)}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.session != "" {
			w.try("DELETE", w.url, nil, nil)
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		cmd.Wait()
	})
	w.begin()
	return w
}

// webDriver is a browser that WebDriver drives: one command after the other.
type webDriver struct {
	t                     testing.TB
	url, session, version string
	home                  string // the window that it begins with, which stays open
	mu                    sync.Mutex
}

// begin makes a session, once the driver listens.
func (w *webDriver) begin() {
	w.t.Helper()
	browsers, err := filepath.Glob("/usr/lib/*/webkit2gtk-4.*/MiniBrowser")
	if err != nil || len(browsers) == 0 {
		w.t.Skip("WebKitGTK's MiniBrowser is not installed")
	}
	asked := map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"webkitgtk:browserOptions": map[string]any{"binary": browsers[len(browsers)-1], "args": []string{"--automation"}},
	}}}
	var made struct {
		SessionID    string
		Capabilities struct{ BrowserName, BrowserVersion string }
	}
	for late := time.After(time.Minute); ; {
		if err = w.try("POST", w.url, asked, &made); err == nil {
			break
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-late:
			w.t.Fatalf("WebKitWebDriver makes no session: %v", err)
		}
	}
	w.session, w.url = made.SessionID, w.url+"/"+made.SessionID
	w.must("GET", "/window", nil, &w.home)
	w.version = made.Capabilities.BrowserName + " " + made.Capabilities.BrowserVersion
}

// Version implements Opener.
func (w *webDriver) Version() string { return w.version }

// Open implements Opener. The tab has no context.
func (w *webDriver) Open(address string) *Tab {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var window struct{ Handle string }
	w.must("POST", "/window/new", map[string]any{"type": "tab"}, &window)
	w.must("POST", "/window", map[string]any{"handle": window.Handle}, nil)
	w.must("POST", "/url", map[string]any{"url": address}, nil)
	return &Tab{t: w.t, Close: sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.must("POST", "/window", map[string]any{"handle": window.Handle}, nil)
		w.must("DELETE", "/window", nil, nil)
		w.must("POST", "/window", map[string]any{"handle": w.home}, nil)
	})}
}

func (w *webDriver) must(method, path string, body, result any) {
	w.t.Helper()
	if err := w.try(method, w.url+path, body, result); err != nil {
		w.t.Fatalf("%s: %v", path, err)
	}
}

// try gives a command.
func (w *webDriver) try(method, url string, body, result any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if body == nil {
		text = nil
	}
	q, err := http.NewRequest(method, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	client := http.Client{Timeout: patience}
	answer, err := client.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var said struct{ Value json.RawMessage }
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Status, said.Value)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(said.Value, result)
}
