package web

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// slowSync is by how much every sync of the browser is delayed, before it returns.
const slowSync = 300 * time.Millisecond

// TestStrictCommitsAreSynced: a trace of system calls shows that the browser syncs the log
// of the database while a strict commit is under way, and that the commit is answered no
// sooner than the sync has returned, which is delayed. Skipped without strace.
func TestStrictCommitsAreSynced(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: nothing shows what the browser syncs (apt-get install strace)")
	}
	dir := t.TempDir()
	trace, traced := filepath.Join(dir, "trace"), filepath.Join(dir, "chromium")
	const syncs = "fsync,fdatasync"
	command := fmt.Sprintf("#!/bin/sh\nexec %s -f --seccomp-bpf -qq -y -ttt -o %s -e trace=%s -e inject=%s:delay_exit=%d %s \"$@\"\n",
		strace, trace, syncs, syncs, slowSync.Microseconds(), Chromium(t))
	if err := os.WriteFile(traced, []byte(command), 0o700); err != nil {
		t.Fatal(err)
	}
	browser := Start(t, "", chromedp.ExecPath(traced))
	server := NewServer(t, Build(t, ".", "./actor", false))
	address, a := server.NewActor("worker", "synced")
	tab := browser.Open(address)
	a.Expect("ok", "open", rand.Text(), "60000")
	type commit struct{ from, to time.Time }
	made := make(map[string][]commit)
	const each = 5
	for i := range 2 * each {
		how := []string{"put", "relaxed"}[i%2]
		from := time.Now()
		a.Expect(fmt.Sprintf("ok %d", i+1), how, "k", strconv.Itoa(i))
		made[how] = append(made[how], commit{from, time.Now()})
	}
	tab.Close()
	browser.Quit()
	all := readTrace(t, trace)
	within := func(c commit) (n int) {
		for _, at := range all {
			if at.After(c.from) && at.Before(c.to) {
				n++
			}
		}
		return n
	}
	for _, c := range made["put"] {
		if within(c) == 0 {
			t.Errorf("no sync of the log of the database in the %v of a strict commit", c.to.Sub(c.from))
		}
		if took := c.to.Sub(c.from); took < slowSync {
			t.Errorf("a strict commit was answered after %v, and no sync returns sooner than after %v", took, slowSync)
		}
	}
	relaxed := 0
	for _, c := range made["relaxed"] {
		relaxed += within(c)
	}
	if relaxed == each {
		t.Errorf("there is a sync in each of %d relaxed commits: the trace tells nothing", each)
	}
	t.Logf("%d strict commits; %d syncs in %d relaxed ones", each, relaxed, each)
}

// logSync is a line of the trace: when a sync of a log of IndexedDB began.
var logSync = regexp.MustCompile(`^\d+ +(\d+)\.(\d{6}) f(?:data)?sync\(\d+<[^>]*/IndexedDB/[^>]*\.log>`)

// readTrace returns when syncs of logs began.
func readTrace(t *testing.T, path string) (all []time.Time) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	some := ""
	for lines.Scan() {
		if strings.Contains(lines.Text(), "IndexedDB") {
			some = lines.Text()
		}
		found := logSync.FindStringSubmatch(lines.Text())
		if found == nil {
			continue
		}
		seconds, err := strconv.ParseInt(found[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		micro, err := strconv.ParseInt(found[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, time.UnixMicro(seconds*1e6+micro))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d syncs of logs; a line of the trace: %s", len(all), some)
	return all
}
