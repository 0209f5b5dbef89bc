package web

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// TestFigures prints what the store costs in the browser, and judges none of it.
func TestFigures(t *testing.T) {
	n := 100
	if testing.Short() {
		n = 10
	}
	browser, name := Shared(t), rand.Text()
	server := NewServer(t, Build(t, ".", "./actor", false))
	var both []*Actor
	for i := range 2 {
		address, a := server.NewActor("worker", strconv.Itoa(i))
		t.Cleanup(browser.Open(address).Close)
		a.Expect("ok", "open", name, "60000")
		both = append(both, a)
	}
	one, two := both[0], both[1]
	var here, bare, inMemory float64
	scan(t, one.Do("decrypts", strconv.Itoa(n)), &here, &bare, &inMemory)
	t.Logf("Decrypt from one tab: %.2f ms; its bare transactions %.2f ms and the same calls in memory %.2f ms: %.2f times both", here, bare, inMemory, here/(bare+inMemory))
	var strict, relaxed float64
	scan(t, one.Do("commits", "a", "strict", "1", strconv.Itoa(n)), &strict)
	scan(t, one.Do("commits", "a", "relaxed", "1", strconv.Itoa(n)), &relaxed)
	t.Logf("commits one after the other: strict %.0f/s, relaxed %.0f/s", strict, relaxed)
	alone, most := 0.0, 0.0
	for _, callers := range []string{"16", "64", "128", "256"} {
		var rate float64
		scan(t, one.Do("commits", "a", "relaxed", callers, strconv.Itoa(n/5)), &rate)
		alone = max(alone, rate)
	}
	first, second := one.Begin("commits", "a", "relaxed", "128", strconv.Itoa(n/5)), two.Begin("commits", "b", "relaxed", "128", strconv.Itoa(n/5))
	var a, b float64
	scan(t, one.Said(first, "commits"), &a)
	scan(t, two.Said(second, "commits"), &b)
	most = max(alone, a+b)
	t.Logf("the most commits: %.0f/s in one tab, %.0f/s in two: %.0f commit IDs a minute", alone, a+b, 60*most)
	var turn float64
	scan(t, one.Do("hot", "one", "1", strconv.Itoa(n)), &turn)
	first, second = one.Begin("hot", "sixteen", "8", strconv.Itoa(n/5)), two.Begin("hot", "sixteen", "8", strconv.Itoa(n/5))
	scan(t, one.Said(first, "hot"), &a)
	scan(t, two.Said(second, "hot"), &b)
	t.Logf("transactions on one key: %.0f/s in one tab, one at a time; %.0f/s by 16 at once in two tabs: %.2f of it", turn, a+b, (a+b)/turn)
}

// scan reads the figures that an actor says.
func scan(t *testing.T, said string, into ...any) {
	t.Helper()
	words, ok := strings.CutPrefix(said, "ok ")
	if _, err := fmt.Sscan(words, into...); !ok || err != nil {
		t.Fatalf("%q: %v", said, err)
	}
}
