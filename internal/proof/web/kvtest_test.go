package web

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestConformanceInWorker: kvtest in a dedicated worker, where clients are told to run.
func TestConformanceInWorker(t *testing.T) { testConformance(t, Shared(t), "worker") }

// TestConformanceInPage: the same in a page.
func TestConformanceInPage(t *testing.T) {
	if testing.Short() {
		t.Skip("in a page with make web")
	}
	testConformance(t, Shared(t), "page")
}

// testConformance has the browser for itself: turns last a second.
func testConformance(t *testing.T, browser Opener, where string) {
	server := NewServer(t, Build(t, mainModule, "./kv/idbkv", true))
	run := "."
	if only := os.Getenv("PAWL_WEB_RUN"); only != "" {
		run = only
	}
	address, program := server.Address(where, "tests", "-test.v", "-test.run="+run, "-test.timeout=30m", fmt.Sprintf("-test.short=%v", testing.Short()))
	defer browser.Open(address).Close()
	said := server.Wait(program, 32*time.Minute)
	if program.Code != 0 || !strings.Contains(said, "\nPASS\n") || strings.Contains(said, "--- SKIP") {
		t.Fatalf("exit code %d:\n%s", program.Code, said)
	}
	t.Logf("%d tests passed", strings.Count(said, "--- PASS"))
}
