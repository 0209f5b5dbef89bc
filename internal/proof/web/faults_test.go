package web

import (
	"context"
	"flag"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/cdproto/systeminfo"
	"github.com/chromedp/chromedp"
)

var (
	faultRounds = flag.Int("web.rounds", 20, "how often each fault comes; once with -short")
	faultOnly   = flag.String("web.only", "", "what happens to tabs: only that whose name has this in it")
	faultSeed   = flag.Uint64("web.seed", 0, "seed of the instants of faults; 0: any")
)

func roundsOfFaults() int {
	if testing.Short() {
		return 1
	}
	return *faultRounds
}

// seedOfFaults prints the seed.
func seedOfFaults(t *testing.T) uint64 {
	seed := *faultSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-web.seed=%d", seed)
	return seed
}

// fault is what happens to one tab.
type fault struct {
	name   string
	where  string // the tab's program runs
	strike func(s *scene, c *counting)
}

var faultsOfTabs = []fault{
	{"closed", "worker", func(s *scene, c *counting) { c.tab.Close() }},
	{"crashed", "page", (*scene).crash},
	{"killed", "worker", (*scene).kill},
	{"worker terminated", "worker", func(s *scene, c *counting) { c.tab.eval(`worker.terminate()`) }},
	{"service worker stopped, and started by the next event", "service", (*scene).stopServiceWorker},
	{"frozen and thawed", "page", (*scene).freeze},
	{"frozen in a transaction and thawed", "page", (*scene).freezeInTransaction},
	{"in the back/forward cache and restored", "page", (*scene).cacheAndRestore},
	{"left, and gone back to", "page", (*scene).leaveAndGoBack},
}

// TestFaultsOfTabs: counters in a worker and in a page go on, whatever happens to others,
// and who comes back goes on too. No number is used twice, and none is lost.
func TestFaultsOfTabs(t *testing.T) {
	t.Parallel()
	s := newScene(t, "", seedOfFaults(t))
	for range roundsOfFaults() {
		for _, i := range s.random.Perm(len(faultsOfTabs)) {
			f, began := faultsOfTabs[i], time.Now()
			if !strings.Contains(f.name, *faultOnly) {
				continue
			}
			c := s.open(f.where)
			s.count(c)
			s.instant(c)
			f.strike(s, c)
			s.goOn(f.name)
			t.Logf("%s: %v", f.name, time.Since(began).Round(time.Millisecond))
			c.tab.Close()
		}
	}
	s.judge()
	s.report(roundsOfFaults())
}

// eval runs a script in the tab.
func (tab *Tab) eval(script string) {
	tab.t.Helper()
	if _, err := chromedp.Run(tab.Ctx, chromedp.Evaluate[chromedp.Void](script)); err != nil {
		tab.t.Fatalf("%s: %v", script, err)
	}
}

// crash crashes the tab's renderer, which then answers nothing.
func (s *scene) crash(c *counting) {
	ctx, cancel := context.WithTimeout(c.tab.Ctx, patience)
	defer cancel()
	go chromedp.Call(ctx, devtools.Crash, cdp.Empty{})
	s.goOn("crashed")
}

// kill kills the process of a tab that is opened for it, if it can be told.
func (s *scene) kill(c *counting) {
	before := s.renderers()
	other := s.open("worker")
	s.count(other)
	var its []int
	for _, pid := range s.renderers() {
		if !slices.Contains(before, pid) {
			its = append(its, pid)
		}
	}
	if len(its) != 1 {
		s.t.Fatalf("the tab's process cannot be told: %v are new", its)
	}
	s.instant(other)
	if err := syscall.Kill(its[0], syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	s.goOn("killed")
	other.tab.Close()
}

func (s *scene) renderers() (pids []int) {
	info, err := chromedp.CallBrowser(s.browser.ctx, systeminfo.GetProcessInfo, cdp.Empty{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range info.ProcessInfo {
		if p.Type == "renderer" {
			pids = append(pids, int(p.ID))
		}
	}
	return pids
}

// stopServiceWorker stops the service worker, and wakes it by a message.
func (s *scene) stopServiceWorker(c *counting) {
	for _, command := range []cdp.Command[cdp.Empty, cdp.Empty]{serviceworker.Enable, serviceworker.StopAllWorkers} {
		if _, err := chromedp.Call(c.tab.Ctx, command, cdp.Empty{}); err != nil {
			s.t.Fatal(err)
		}
	}
	s.goOn("service worker stopped")
	c.tab.eval(`wake()`)
	s.count(c)
	c.Expect("ok", "stop")
	c.Expect("ok", "close")
	if _, err := chromedp.Call(c.tab.Ctx, serviceworker.StopAllWorkers, cdp.Empty{}); err != nil {
		s.t.Fatal(err)
	}
}

// freeze freezes a tab at any instant. It may be in the middle of a transaction: then the
// others end their calls at the deadline until it goes on.
func (s *scene) freeze(c *counting) {
	c.tab.Freeze()
	s.goOnOrEnd("frozen")
	c.tab.Thaw()
	s.ledger.advance("thawed", 1, c.id)
}

// freezeInTransaction freezes a tab that keeps a transaction open. Others end their calls
// at the deadline, and go on when it goes on.
func (s *scene) freezeInTransaction(c *counting) {
	c.Expect("ok", "hold", s.name)
	c.tab.Freeze()
	before := s.ledger.unavailable(s.staying())
	s.ledger.until("calls beside a frozen transaction do not end", func() bool {
		return s.ledger.unavailableNow(s.staying()) > before
	})
	c.tab.Thaw()
	c.Expect("ok", "let")
	s.ledger.advance("thawed", 1, c.id)
}

// goOnOrEnd waits until one who stays has gone on, or its calls have ended.
func (s *scene) goOnOrEnd(what string) {
	s.t.Helper()
	before, taken := s.ledger.unavailable(s.staying()), s.ledger.taken(s.staying())
	s.ledger.until(what+": calls do not end", func() bool {
		return s.ledger.unavailableNow(s.staying()) > before || s.ledger.takenNow(s.staying()) > taken+1
	})
}

// cacheAndRestore is a page that closes its store as it is left, as docs/indexeddb.md tells
// clients, so that the browser keeps it.
func (s *scene) cacheAndRestore(c *counting) {
	c.Expect("ok", "stop")
	c.Expect("ok", "close")
	if !s.backAndForth(c) {
		s.t.Fatal("the browser has not kept the page")
	}
	c.Expect("ok", "count", s.name)
	s.ledger.advance("restored", 1, c.id)
}

// leaveAndGoBack is a page that is left while it counts. Its locks keep it out of the cache.
func (s *scene) leaveAndGoBack(c *counting) {
	if s.backAndForth(c) {
		s.ledger.advance("restored", 1, c.id)
		return
	}
	s.count(c)
}

// backAndForth leaves the page and goes back, and reports whether it is the same.
func (s *scene) backAndForth(c *counting) (same bool) {
	s.t.Helper()
	c.tab.eval(`globalThis.marked = true`)
	if err := chromedp.Do(c.tab.Ctx, chromedp.Navigate(s.server.URL+"/elsewhere")); err != nil {
		s.t.Fatal(err)
	}
	s.goOn("left")
	c.tab.eval(`history.back()`)
	for late := time.After(patience); ; {
		where, err := chromedp.Run(c.tab.Ctx, chromedp.Evaluate[string](`location.pathname + (globalThis.marked ? " marked" : "")`))
		if err == nil && where != "/elsewhere" {
			return where == "/page marked"
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-late:
			s.t.Fatalf("the tab does not go back: it is at %q, %v", where, err)
		}
	}
}
