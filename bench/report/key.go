package report

import (
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/bench/result"
)

// Key is what two rows have in common that are the same thing in two results.
type Key struct {
	Group
	System, Design, Engine, Durable string
}

// Group is what rows have in common that were run in turn on the same messages.
type Group struct {
	Workload string
	Params   result.Params
}

// KeyOf returns a row's key.
func KeyOf(row result.Row) Key {
	return Key{GroupOf(row), row.System, row.Design, row.Engine, row.Durable}
}

// GroupOf returns a row's group.
func GroupOf(row result.Row) Group { return Group{row.Workload, row.Params} }

// String returns everything that tells a key from others, for errors.
func (k Key) String() string {
	return strings.Join(present(k.Group.String(), k.System, k.Design, k.Engine, k.Durable), ", ")
}

// String returns "decrypt (50 sessions, zipf)".
func (g Group) String() string {
	if p := describe(g.Params); p != "" {
		return g.Workload + " (" + p + ")"
	}
	return g.Workload
}

// Words returns "decrypt, 50 sessions, zipf": a group inside of a sentence.
func (g Group) Words() string {
	return strings.Join(present(g.Workload, describe(g.Params)), ", ")
}

// describe says in words what a workload was run with.
func describe(p result.Params) string {
	var words []string
	add := func(n int, one, many string) {
		switch {
		case n == 1:
			words = append(words, "1 "+one)
		case n > 1:
			words = append(words, thousands(n)+" "+many)
		}
	}
	add(p.Sessions, "session", "sessions")
	words = append(words, present(p.Distribution)...)
	add(p.Batch, "message a commit", "messages a commit")
	add(p.PeerSessions, "session of a peer", "sessions of a peer")
	if p.PeerSessions > 0 {
		words = append(words, "39 skipped keys in each")
	}
	if p.Acknowledge > 0 {
		words = append(words, fmt.Sprintf("acknowledged by %s", thousands(p.Acknowledge)))
	}
	add(p.Peers, "peer", "peers")
	add(p.Processes, "process", "processes")
	if p.Processes > 1 || p.Same {
		words = append(words, sharing(p.Same))
	}
	if p.Size > 0 {
		words = append(words, thousands(p.Size)+" B")
	}
	return strings.Join(words, ", ")
}

func sharing(same bool) string {
	if same {
		return "same sessions"
	}
	return "separate sessions"
}

// contestant names a row among those of its group.
func contestant(row result.Row) string {
	return strings.Join(present(systemTitle(row), row.Engine), ", ")
}

// thousands prints 1000000 as 1,000,000.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func present(words ...string) []string {
	var some []string
	for _, w := range words {
		if w != "" {
			some = append(some, w)
		}
	}
	return some
}
