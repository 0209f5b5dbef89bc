package web

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// TestNoRoom: the browser gives the origin no room. What it refuses is certainly not
// applied (disk_full); reading goes on, and so does writing when there is room again.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	browser := Shared(t)
	server := NewServer(t, Build(t, ".", "./actor", false))
	address, a := server.NewActor("worker", "full")
	tab := browser.Open(address)
	defer tab.Close()
	give := func(bytes *float64) {
		_, err := chromedp.Call(tab.Ctx, storage.OverrideQuotaForOrigin, storage.OverrideQuotaForOriginParams{Origin: server.URL, QuotaSize: bytes})
		if err != nil {
			t.Fatal(err)
		}
	}
	name := rand.Text()
	// Before the store is used: Chromium remembers for a while how much room there was.
	quota := float64(4 << 20)
	give(&quota)
	a.Expect("ok", "open", name, "5000")
	a.Expect("ok 1", "put", "k", "before")
	kept := 0 // that were acknowledged
	for said := ""; said != "disk_full"; {
		if kept++; kept > 64 {
			t.Fatalf("%d MB fit into a quota of 4", kept)
		}
		if said = a.Do("fill", strconv.Itoa(kept), "1000000"); !strings.HasPrefix(said, "ok") && said != "disk_full" {
			t.Fatalf("write number %d says %q", kept, said)
		}
	}
	a.Expect("ok 1 before", "get", "k")
	a.Expect("ok 0", "get", strconv.Itoa(kept)) // the refused one
	give(nil)
	a.Expect(fmt.Sprintf("ok %d", kept+1), "put", "k", "after")
	a.Expect("ok", "close")
	a.Expect("ok", "open", name, "5000")
	a.Expect(fmt.Sprintf("ok %d after", kept+1), "get", "k")
	a.Expect("ok 0", "get", strconv.Itoa(kept))
}
