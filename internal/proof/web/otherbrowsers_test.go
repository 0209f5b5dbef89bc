package web

import (
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
)

// TestOtherBrowsers: what every driver can play, in browsers beside Chromium, where they are
// installed: the conformance suite, the history of three tabs, and the tabs that share a
// session.
func TestOtherBrowsers(t *testing.T) {
	if testing.Short() {
		t.Skip("with make web")
	}
	for name, start := range map[string]func(testing.TB) Opener{"Firefox": Firefox, "WebKitGTK": WebKit} {
		t.Run(name, func(t *testing.T) {
			browser := start(t)
			t.Logf("in %s", browser.Version())
			t.Run("conformance in a worker", func(t *testing.T) { testConformance(t, browser, "worker") })
			t.Run("conformance in a page", func(t *testing.T) { testConformance(t, browser, "page") })
			t.Run("history of tabs", func(t *testing.T) { testHistory(t, browser) })
			t.Run("tabs share a session", func(t *testing.T) { testSharedSession(t, browser, interop.Goolm{}, 60) })
		})
	}
}
