package web

import (
	"crypto/rand"
	"strings"
	"testing"

	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Freeze does what a browser does to a tab that nobody has looked at for long: nothing
// runs in it.
func (tab *Tab) Freeze() { tab.lifecycle(devtools.SetWebLifecycleStateStateFrozen) }

// Thaw lets it go on.
func (tab *Tab) Thaw() { tab.lifecycle(devtools.SetWebLifecycleStateStateActive) }

func (tab *Tab) lifecycle(state devtools.SetWebLifecycleStateState) {
	tab.t.Helper()
	_, err := chromedp.Call(tab.Ctx, devtools.SetWebLifecycleState, devtools.SetWebLifecycleStateParams{State: state})
	if err != nil {
		tab.t.Fatalf("make the tab %s: %v", state, err)
	}
}

// twoTabs opens a store in a page, which can be frozen, and in a worker of another tab.
func twoTabs(t *testing.T) (name string, page *Tab, cold, warm *Actor) {
	t.Helper()
	browser := Shared(t)
	server := NewServer(t, Build(t, ".", "./actor", false))
	name = rand.Text()
	address, cold := server.NewActor("page", "cold")
	page = browser.Open(address)
	t.Cleanup(page.Close)
	address, warm = server.NewActor("worker", "warm")
	t.Cleanup(browser.Open(address).Close)
	cold.Expect("ok", "open", name, "1000")
	warm.Expect("ok", "open", name, "1000")
	return name, page, cold, warm
}

// TestFrozenTabLosesItsTurn: a tab has a turn, and the browser freezes it. Others take the
// turn away when it has lasted for too long, and nothing waits for the tab.
func TestFrozenTabLosesItsTurn(t *testing.T) {
	t.Parallel()
	_, page, cold, warm := twoTabs(t)
	cold.Expect("ok", "turn", "k")
	page.Freeze()
	late := cold.Begin("put", "k", "late")
	warm.Expect("ok", "turn", "k")
	warm.Expect("ok 1", "put", "k", "first")
	warm.Expect("ok", "release")
	select {
	case said := <-late:
		t.Fatalf("the tab was not frozen: it says %q", said)
	default:
	}
	page.Thaw()
	if said := cold.Said(late, "put"); said != "ok 2" {
		t.Errorf("the tab that goes on says %q, want it to commit at version 2", said)
	}
	cold.Expect("ok", "release")
	cold.Expect("ok", "turn", "k")
}

// TestFrozenTabWithTransaction: a tab is frozen in the middle of a transaction. Others
// take theirs back at the deadline, certainly not applied, and go on when it goes on.
func TestFrozenTabWithTransaction(t *testing.T) {
	t.Parallel()
	name, page, cold, warm := twoTabs(t)
	warm.Expect("ok 1", "put", "k", "before")
	cold.Expect("ok", "hold", name)
	page.Freeze()
	let := cold.Begin("let")
	warm.Expect("unavailable", "put", "k", "never")
	warm.Expect("unavailable", "get", "k")
	warm.Expect("unavailable", "turn", "k")
	page.Thaw()
	if said := cold.Said(let, "let"); said != "ok" {
		t.Fatalf("the tab that goes on says %q", said)
	}
	for said := "unavailable"; said != "ok 2"; { // until the transaction has ended
		if said = warm.Do("put", "k", "after"); said != "ok 2" && said != "unavailable" {
			t.Fatalf("a commit says %q, want version 2", said)
		}
	}
	if said := cold.Do("get", "k"); said != "ok 2 after" {
		t.Errorf("the tab that was frozen reads %q", said)
	}
}

// TestFrozenTabEnds: the same, and the tab is closed while it is frozen.
func TestFrozenTabEnds(t *testing.T) {
	t.Parallel()
	name, page, cold, warm := twoTabs(t)
	cold.Expect("ok", "hold", name)
	page.Freeze()
	warm.Expect("unavailable", "put", "k", "never")
	page.Close()
	for said := "unavailable"; !strings.HasPrefix(said, "ok"); {
		if said = warm.Do("put", "k", "after"); said != "ok 1" && said != "unavailable" {
			t.Fatalf("a commit says %q, want version 1", said)
		}
	}
}
