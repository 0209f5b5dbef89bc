package web

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestModuleInNode: a script makes every call of the module, on a store in memory.
func TestModuleInNode(t *testing.T) {
	said, err := exec.Command("node", "module/node.mjs", Package(t), mainModule+"/cmd/libpawl/ctest/calls.txt").CombinedOutput()
	if err != nil || !strings.HasSuffix(string(said), " calls\n") {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Logf("%s", said)
}

// TestModuleInBrowser: the same script on IndexedDB, in a page, a worker and a service worker
// under a policy without unsafe-eval, and what is expected beside calls; and how a page fares
// with many messages, and what memory those take. In short the script is played in the service
// worker, which has the most against it, and the messages are few.
func TestModuleInBrowser(t *testing.T) {
	folder := Package(t)
	browser := Start(t, "")
	server := NewModuleServer(t, folder)
	for _, run := range []struct{ where, what string }{
		{"page", "script"}, {"worker", "script"}, {"service", "script"}, {"worker", "cases"},
		{"page", "sync"}, {"page", "long sync"}, {"page", "messages"},
	} {
		t.Run(run.what+" in "+run.where, func(t *testing.T) {
			if testing.Short() && (run.what == "script" && run.where != "service" || run.what == "long sync" || run.what == "messages") {
				t.Skip("with make web")
			}
			address, asked := server.Address("module/"+run.where, run.where+run.what, run.what)
			defer browser.Open(address).Close()
			said := server.Wait(asked, 15*time.Minute)
			if asked.Code != 0 {
				t.Fatalf("it ended with %d:\n%s", asked.Code, said)
			}
			t.Logf("%s", said)
		})
	}
}
