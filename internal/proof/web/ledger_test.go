package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/web/calls"
)

// ledger is what counters were told that they have taken, kept where no fault reaches it.
type ledger struct {
	t       *testing.T
	mu      sync.Mutex
	took    map[string]map[int]string // by store and number: who took it
	steps   map[string]int            // of each tab: how many numbers it took
	codes   map[string]map[string]int // of each tab: with which codes calls have failed
	longest int64                     // milliseconds that one took
	came    chan struct{}             // has room for one
}

func newLedger(t *testing.T, s *Server) *ledger {
	l := &ledger{t: t, came: make(chan struct{}, 1),
		took: make(map[string]map[int]string), steps: make(map[string]int), codes: make(map[string]map[string]int)}
	s.mux.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
		var c calls.Count
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		l.note(r.URL.Query().Get("id"), c)
	})
	return l
}

// note takes what a counter says. A number that was taken before was used twice.
func (l *ledger) note(tab string, c calls.Count) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.Taken {
		of := l.took[c.Epoch]
		if of == nil {
			of = make(map[int]string)
			l.took[c.Epoch] = of
		}
		if before, twice := of[c.Number]; twice {
			l.t.Errorf("number %d was taken by %s, and again by %s in %s", c.Number, before, c.Token, tab)
		}
		of[c.Number] = c.Token
		l.steps[tab]++
		l.longest = max(l.longest, c.Milli)
	} else {
		if l.codes[tab] == nil {
			l.codes[tab] = make(map[string]int)
		}
		l.codes[tab][c.Code]++
		if testing.Verbose() {
			l.t.Logf("%s: %s %s", tab, c.Code, c.Why)
		}
	}
	select {
	case l.came <- struct{}{}:
	default:
	}
}

// until waits until what counters say is as it should be.
func (l *ledger) until(what string, holds func() bool) {
	l.t.Helper()
	for late := time.After(patience); ; {
		l.mu.Lock()
		done := holds()
		l.mu.Unlock()
		if done {
			return
		}
		select {
		case <-l.came:
		case <-late:
			l.mu.Lock()
			defer l.mu.Unlock()
			l.t.Fatalf("%s: not within %v; numbers taken: %v, failures: %v", what, patience, l.steps, l.codes)
		}
	}
}

// advance waits until each of some tabs has taken so many numbers more.
func (l *ledger) advance(what string, n int, tabs ...string) {
	l.t.Helper()
	l.mu.Lock()
	want := make(map[string]int)
	for _, tab := range tabs {
		want[tab] = l.steps[tab] + n
	}
	l.mu.Unlock()
	l.until(what+": nothing goes on in some of "+strings.Join(tabs, ", "), func() bool {
		for tab, n := range want {
			if l.steps[tab] < n {
				return false
			}
		}
		return true
	})
}

// unavailable counts calls that were given up in some tabs.
func (l *ledger) unavailable(tabs []string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unavailableNow(tabs)
}

// unavailableNow is unavailable for those who hold l.mu.
func (l *ledger) unavailableNow(tabs []string) (n int) {
	for _, tab := range tabs {
		n += l.codes[tab]["unavailable"] + l.codes[tab]["deadline"]
	}
	return n
}

// failed counts calls of some tabs that failed.
func (l *ledger) failed(tabs []string) map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failedNow(tabs)
}

// failedNow is failed for those who hold l.mu.
func (l *ledger) failedNow(tabs []string) map[string]int {
	all := make(map[string]int)
	for _, tab := range tabs {
		all[tab] = 0
		for _, n := range l.codes[tab] {
			all[tab] += n
		}
	}
	return all
}

// taken counts numbers that some tabs took.
func (l *ledger) taken(tabs []string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.takenNow(tabs)
}

// takenNow is taken for those who hold l.mu.
func (l *ledger) takenNow(tabs []string) (n int) {
	for _, tab := range tabs {
		n += l.steps[tab]
	}
	return n
}

// failures returns how often calls of a tab have failed with each code.
func (l *ledger) failures() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]int)
	for _, codes := range l.codes {
		for code, n := range codes {
			all[code] += n
		}
	}
	return all
}

// judge compares the ledger with what a store holds, as "counted" says it: all that was
// acknowledged is there, and every number was taken once.
func (l *ledger) judge(said string) (epoch string) {
	l.t.Helper()
	words := strings.Fields(said)
	if len(words) < 3 || words[0] != "ok" {
		l.t.Fatalf("the store cannot be counted: %.200q", said)
	}
	epoch = words[1]
	next, err := strconv.Atoi(words[2])
	if err != nil {
		l.t.Fatal(err)
	}
	took := make(map[int]string)
	for _, word := range words[3:] {
		number, token, _ := strings.Cut(word, "=")
		n, err := strconv.Atoi(number)
		if err != nil {
			l.t.Fatal(err)
		}
		took[n] = token
	}
	if len(took) != next {
		l.t.Errorf("%d numbers are noted as taken, and the next is %d", len(took), next)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, token := range l.took[epoch] {
		if took[n] != token {
			l.t.Errorf("number %d was acknowledged to %s, and the store says %q", n, token, took[n])
		}
	}
	return epoch
}
