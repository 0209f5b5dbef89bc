package web

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Chromium returns the path of the browser. Without one the test is skipped, and fails
// where PAWL_WEB=1 requires it.
func Chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("PAWL_WEB") == "1" {
		t.Fatal("PAWL_WEB=1 requires Chromium, and there is none on the path: apt-get install chromium, or set CHROMIUM")
	}
	t.Skip("Chromium is not installed: nothing was run in a browser (apt-get install chromium, or set CHROMIUM)")
	return ""
}

// Browser is a Chromium with a profile of its own.
type Browser struct {
	t       testing.TB
	Profile string
	ctx     context.Context
	Quit    func()
}

// Start starts a browser on a profile, a new one if it is empty.
func Start(t testing.TB, profile string, more ...chromedp.ExecAllocatorOption) *Browser {
	t.Helper()
	if profile == "" {
		profile = t.TempDir()
	}
	b := start(t, profile, more...)
	t.Cleanup(b.Quit)
	return b
}

func start(t testing.TB, profile string, more ...chromedp.ExecAllocatorOption) *Browser {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(Chromium(t)), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.WSURLReadTimeout(time.Minute),
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	// It reaches nothing but the server of the test, at its address.
	options = append(options, chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, end := chromedp.NewContext(allocator)
	b := &Browser{t: t, Profile: profile, ctx: ctx}
	b.Quit = sync.OnceFunc(func() {
		chromedp.Cancel(ctx)
		end()
		endAllocator()
	})
	if err := chromedp.Do(ctx); err != nil {
		b.Quit()
		t.Fatalf("start Chromium: %v", err)
	}
	return b
}

// shared is a browser that tests have together.
var shared struct {
	sync.Mutex
	browser *Browser
	profile string
}

// Shared returns a browser that other tests have too, each with a server of its own and so
// with an origin of its own. It is not there to be ended, or slowed down.
func Shared(t testing.TB) *Browser {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.browser == nil {
		profile, err := os.MkdirTemp("", "pawl-web-profile")
		if err != nil {
			t.Fatal(err)
		}
		shared.profile = profile
		shared.browser = start(t, profile)
	}
	return &Browser{t: t, Profile: shared.profile, ctx: shared.browser.ctx}
}

// quitShared ends the browser that tests had together.
func quitShared() {
	if shared.browser != nil {
		shared.browser.Quit()
	}
	if shared.profile != "" {
		os.RemoveAll(shared.profile)
	}
}

// Tab is a page of the browser.
type Tab struct {
	t     testing.TB
	Ctx   context.Context
	Close func()
}

// Version implements Opener.
func (b *Browser) Version() string { return "Chromium" }

// Open opens a page in a tab of its own.
func (b *Browser) Open(address string) *Tab {
	b.t.Helper()
	ctx, end := chromedp.NewContext(b.ctx)
	tab := &Tab{t: b.t, Ctx: ctx, Close: end}
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		b.t.Fatalf("open %s: %v", address, err)
	}
	return tab
}

// Address is where the program runs in a page or a worker, with arguments. Its run is
// found by id.
func (s *Server) Address(where, id string, args ...string) (string, *Run) {
	run := &Run{ID: id, Done: make(chan struct{})}
	s.mu.Lock()
	s.runs[id] = run
	s.mu.Unlock()
	query := url.Values{"id": {id}, "arg": args}
	return s.URL + "/" + where + "?" + query.Encode(), run
}

// Wait waits until the program has ended, and returns what it wrote.
func (s *Server) Wait(run *Run, patience time.Duration) string {
	s.t.Helper()
	select {
	case <-run.Done:
	case <-time.After(patience):
		s.mu.Lock()
		defer s.mu.Unlock()
		s.t.Fatalf("%s: has not ended after %v; it wrote:\n%s", run.ID, patience, run.Output.String())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return run.Output.String()
}
