package workload

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
)

// Config is one comparison.
type Config struct {
	Workload string        // see Kinds
	Params   result.Params // those that the workload knows; 0 is its default
	Systems  []System      // that are compared
	Messages int           // in a run
	Runs     int           // of each system, after one that warms up
	Seed     uint64        // of keys, messages and the order of sessions

	Dir string // an empty directory for the stores
	// Process returns the command that runs [Serve] on its standard input and
	// output. It is killed when the context ends. Nil runs Bob's processes
	// inside this one: what it uses is then counted as theirs.
	Process  func(context.Context) *exec.Cmd
	Progress func(Progress) // may be nil
	share    sharer         // of processes inside this one, if it is another than the designs have
}

// System is what is compared.
type System struct {
	Design string // see package design
	Engine string // one of Engines
}

// String is "none on badger".
func (s System) String() string { return s.Design + " on " + s.Engine }

// Progress tells what happens now.
type Progress struct {
	Workload string
	Params   result.Params
	System   System // zero while preparing
	Run      int    // 0 while preparing and warming up
	Runs     int
}

// Limits of a Config: a slip of the finger must not fill the disk.
const (
	maxSessions  = 2_000_000
	maxMessages  = 1_000_000
	maxBatch     = 1000
	maxProcesses = 32
	maxPeers     = 10_000
	maxSize      = 32 << 10
	// maxPeerSessions is what a peer's record holds.
	maxPeerSessions = 32
	maxRuns         = 1000
	minSize         = 16
)

// check returns what is wrong with a Config, and fills in its defaults.
func (c *Config) check() (workload, error) {
	all := workloads()
	i := slices.IndexFunc(all, func(w workload) bool { return w.name == c.Workload })
	if i < 0 {
		return workload{}, fmt.Errorf("workload: no workload %q", c.Workload)
	}
	w := all[i]
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	w.defaults(&c.Params)
	if !w.client {
		orNumber(&c.Params.Size, defaultSize)
	}
	return w, errors.Join(c.checkSystems(), c.checkNumbers(w), c.checkMemory(w), c.checkDecrypt())
}

// checkDecrypt keeps what only decrypting knows from other workloads.
func (c *Config) checkDecrypt() error {
	if c.Workload != Decrypt && (c.Params.PeerSessions > 0 || c.Params.Acknowledge > 0) {
		return fmt.Errorf("workload: %s knows no sessions of a peer, and acknowledges nothing", c.Workload)
	}
	return nil
}

// checkMemory keeps a store in memory from being shared by processes.
func (c *Config) checkMemory(w workload) error {
	if !w.shares && w.processes(c.Params) == 1 {
		return nil
	}
	if slices.ContainsFunc(c.Systems, func(s System) bool { return s.Engine == Memory }) {
		return fmt.Errorf("workload: %s has several processes, and a store in memory is in one", c.Workload)
	}
	return nil
}

func (c *Config) checkSystems() error {
	if len(c.Systems) == 0 {
		return errors.New("workload: no systems to compare")
	}
	for i, s := range c.Systems {
		if _, known := design.Find(s.Design); !known {
			return fmt.Errorf("workload: no design %q", s.Design)
		}
		if !slices.Contains(Engines(), s.Engine) && others[s.Engine] == nil {
			return fmt.Errorf("workload: no engine %q", s.Engine)
		}
		if slices.Contains(c.Systems[:i], s) {
			return fmt.Errorf("workload: %v is there twice", s)
		}
	}
	return nil
}

func (c *Config) checkNumbers(w workload) error {
	least := minSize
	if w.client && w.name != Room {
		least = 0 // a room key is as large as it is
	}
	for _, n := range []struct {
		name            string
		value, min, max int
	}{
		{"messages", c.Messages, 1, maxMessages},
		{"runs", c.Runs, 1, maxRuns},
		{"sessions", c.Params.Sessions, 0, maxSessions},
		{"batch", c.Params.Batch, 0, maxBatch},
		{"peers", c.Params.Peers, 0, maxPeers},
		{"processes", c.Params.Processes, 0, maxProcesses},
		{"size", c.Params.Size, least, maxSize},
		{"peer sessions", c.Params.PeerSessions, 0, maxPeerSessions},
		{"acknowledge", c.Params.Acknowledge, 0, maxBatch},
	} {
		if n.value < n.min || n.value > n.max {
			return fmt.Errorf("workload: %d %s: want %d to %d", n.value, n.name, n.min, n.max)
		}
	}
	if d := c.Params.Distribution; d != "" && d != Uniform && d != Zipf {
		return fmt.Errorf("workload: no distribution %q", d)
	}
	return nil
}
