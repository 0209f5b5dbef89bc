package workload

import (
	"strings"
	"testing"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
)

// TestMistakes: a Config that makes no sense is refused before anything is
// written.
func TestMistakes(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`no workload "sleep"`:         func(c *Config) { c.Workload = "sleep" },
		"no systems":                  func(c *Config) { c.Systems = nil },
		`no design "hope"`:            func(c *Config) { c.Systems[0].Design = "hope" },
		`no engine "paper"`:           func(c *Config) { c.Systems[0].Engine = "paper" },
		"is there twice":              func(c *Config) { c.Systems[1] = c.Systems[0] },
		"0 messages: want 1":          func(c *Config) { c.Messages = 0 },
		"0 runs: want 1":              func(c *Config) { c.Runs = 0 },
		"-1 sessions":                 func(c *Config) { c.Params.Sessions = -1 },
		"1001 batch":                  func(c *Config) { c.Params.Batch = 1001 },
		"8 size: want 16":             func(c *Config) { c.Params.Size = 8 },
		`no distribution "bell"`:      func(c *Config) { c.Params.Distribution = "bell" },
		"33 peer sessions":            func(c *Config) { c.Params.PeerSessions = 33 },
		"alternate knows no sessions": func(c *Config) { c.Workload, c.Params.PeerSessions = Alternate, 1 },
		"acknowledges nothing":        func(c *Config) { c.Workload, c.Params.Acknowledge = Encrypt, 1 },
		"a store in memory is in one": func(c *Config) { c.Workload, c.Systems[0].Engine = Alternate, Memory },
	} {
		c := tiny(t, Decrypt, result.Params{}, on([]string{Badger}, ours))
		change(&c)
		if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run = %v, want %q", err, want)
		}
	}
}

// TestSuite: what the command measures makes sense, has every workload, design
// and engine, and compares each thing once.
func TestSuite(t *testing.T) {
	for _, quick := range []bool{false, true} {
		seen := map[string]bool{}
		for _, c := range Suite(quick) {
			if _, err := c.check(); err != nil {
				t.Errorf("quick %v: %v", quick, err)
			}
			for _, s := range c.Systems {
				seen[c.Workload], seen[s.Design], seen[s.Engine] = true, true, true
			}
		}
		want := Engines()
		for _, d := range design.All() {
			want = append(want, d.Name)
		}
		for _, k := range Kinds() {
			if k.Title == "" {
				t.Errorf("%s has no title", k.Name)
			}
			if !quick {
				want = append(want, k.Name)
			}
		}
		for _, name := range want {
			if !seen[name] {
				t.Errorf("quick %v: nothing measures %q", quick, name)
			}
		}
	}
}
