package linked

import (
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var list = Parse(`# what was proven
a.example/one v1.2.3
a.example/one v1.3.0

a.example/two/v2 v2.0.1
`)

func TestLook(t *testing.T) {
	one := func(version string) *debug.Module { return &debug.Module{Path: "a.example/one", Version: version} }
	two := &debug.Module{Path: "a.example/two/v2", Version: "v2.0.1"}
	replaced := &debug.Module{Path: "a.example/one", Version: "v1.2.3", Replace: &debug.Module{Path: "../one"}}
	forked := &debug.Module{Path: "a.example/one", Version: "v1.2.3", Replace: &debug.Module{Path: "b.example/one", Version: "v1.3.0"}}
	cases := map[string]struct {
		program *debug.BuildInfo
		want    Found
	}{
		"as proven":         {program(one("v1.2.3"), two), Found{}},
		"proven later":      {program(one("v1.3.0"), two), Found{}},
		"raised":            {program(one("v1.4.0"), two), Found{Unproven: []string{"a.example/one v1.4.0"}}},
		"lowered":           {program(one("v1.2.2"), two), Found{Unproven: []string{"a.example/one v1.2.2"}}},
		"of a workspace":    {program(one("(devel)"), two), Found{Unproven: []string{"a.example/one (devel)"}}},
		"a folder instead":  {program(replaced, two), Found{Unproven: []string{"a.example/one v1.2.3 => ../one"}}},
		"a fork instead":    {program(forked, two), Found{Unproven: []string{"a.example/one v1.2.3 => b.example/one v1.3.0"}}},
		"one is not told":   {program(two), Found{Untold: []string{"a.example/one"}}},
		"a test":            {program(), Found{Untold: []string{"a.example/one", "a.example/two/v2"}}},
		"no information":    {nil, Found{Untold: []string{"a.example/one", "a.example/two/v2"}}},
		"others in between": {program(&debug.Module{Path: "a.example", Version: "v9"}, one("v1.3.0"), two), Found{}},
	}
	for name, c := range cases {
		if diff := cmp.Diff(c.want, list.Look(c.program)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func program(deps ...*debug.Module) *debug.BuildInfo { return &debug.BuildInfo{Deps: deps} }

func TestRefused(t *testing.T) {
	found := Found{Unproven: []string{"a.example/one v1.4.0", "a.example/two/v2 v2.1.0"}, Untold: []string{"a.example/three"}}
	cases := map[string][]string{
		`a.example/one v1.4.0 (proven: v1.2.3, v1.3.0), a.example/two/v2 v2.1.0 (proven: v2.0.1); ` +
			`require a proven version, or go on anyway with engine.With("a.example/one v1.4.0", "a.example/two/v2 v2.1.0")`: nil,
		`a.example/two/v2 v2.1.0 (proven: v2.0.1); require a proven version, or go on anyway with ` +
			`engine.With("a.example/two/v2 v2.1.0")`: {"a.example/one v1.4.0", "a.example/two/v2 v2.0.9"},
		"": {"a.example/two/v2 v2.1.0", "a.example/one v1.4.0"},
	}
	for want, accepted := range cases {
		if got := list.refusal(found, accepted, "engine.With"); got != want {
			t.Errorf("with %q accepted: %q, want %q", accepted, got, want)
		}
	}
}

// TestTold: who goes on with what is not proven, or says nothing, is told so; a
// refusal is told by its error alone.
func TestTold(t *testing.T) {
	raised := program(&debug.Module{Path: "a.example/one", Version: "v1.4.0"}, &debug.Module{Path: "a.example/two/v2", Version: "v2.0.1"})
	const goesOn, untold = `level=WARN msg="goes on with what is not proven" modules="[a.example/one v1.4.0]"` + "\n",
		`level=WARN msg="the program does not say in which versions it was built with what the store rests on"` +
			` modules="[a.example/one a.example/two/v2]"` + "\n"
	cases := []struct {
		name     string
		program  *debug.BuildInfo
		accepted []string
		refused  bool
		want     string
	}{
		{"a refusal", raised, nil, true, ""},
		{"accepted", raised, []string{"a.example/one v1.4.0"}, false, goesOn},
		{"another was accepted", raised, []string{"a.example/one v1.4.1"}, true, ""},
		{"no information", nil, nil, false, untold},
	}
	for _, c := range cases {
		var told strings.Builder
		noTime := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		log := slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{ReplaceAttr: noTime}))
		why := list.Refused(c.program, c.accepted, "engine.With", log)
		if (why != "") != c.refused || told.String() != c.want {
			t.Errorf("%s: refused because of %q, told %q; want %t and %q", c.name, why, told.String(), c.refused, c.want)
		}
	}
}

func TestParsePanics(t *testing.T) {
	for _, text := range []string{"a.example/one", "a.example/one v1 v2", "a.example/one v1.0.0 # why"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was taken", text)
				}
			}()
			Parse(text)
		}()
	}
}
