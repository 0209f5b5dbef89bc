package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pawlkv/pawl/bench/design"
)

const (
	// DefaultRounds is long enough for each order of three events to come up
	// many times.
	DefaultRounds = 300
	// MaxRounds keeps a slip of the finger from running for days.
	MaxRounds = 1_000_000
)

// Config says what to play.
type Config struct {
	Rounds  int      // with each design, at least 1
	Seed    uint64   // of the rounds
	Engine  string   // Badger or SQLite
	Designs []string // see [Designs]; none means all
	Dir     string   // an empty directory for the stores
	// Process returns the command that runs [Serve] on its standard input and
	// output. It is killed when the context ends.
	Process  func(context.Context) *exec.Cmd
	Story    io.Writer      // is told what happens, in plain language
	Strong   bool           // Story is a terminal on which words may stand out
	Progress func(Progress) // is told of each round before it is played; may be nil
}

// Progress is how far the play is.
type Progress struct {
	Design        string // see [Designs]
	Round, Rounds int    // of all designs together
	Lost          int    // of this design so far
	Event         string // of this round, in plain language
}

// Report is what happened.
type Report struct {
	Seed    uint64    `json:"seed"`
	Rounds  int       `json:"rounds"`
	Engine  string    `json:"engine"`
	Designs []Outcome `json:"designs"`
}

// Outcome is what happened with one design.
type Outcome struct {
	Name      string   `json:"name"` // see [Designs]
	Messages  int      `json:"messages"`
	Decrypted int      `json:"decrypted"` // to what was encrypted
	Lost      int      `json:"lost"`
	Wedged    int      `json:"wedged"`      // sessions that a restart of all processes did not mend
	Reused    int      `json:"reused_keys"` // ciphertexts under a message key that another was under
	Retries   int      `json:"retries"`     // steps done again: conflicts, and leases that were another's
	P50       int64    `json:"p50_us"`      // of a step of one of Bob's processes, as it measures
	P99       int64    `json:"p99_us"`      // those left out during which it was killed or stopped
	Worst     int64    `json:"max_us"`
	Restarts  int      `json:"restarts"`
	Kills     int      `json:"kills"`
	Stops     int      `json:"stops"`
	First     *Loss    `json:"first_loss,omitempty"`
	Broken    []string `json:"broken,omitempty"` // invariants of the stores
	title     string
	holds     bool // this design claims to lose nothing
}

// Run plays the designs. The error is of the stores, the processes or ctx, not
// of a design.
func Run(ctx context.Context, c Config) (Report, error) {
	report := Report{Seed: c.Seed, Rounds: c.Rounds, Engine: c.Engine}
	plans, err := chosen(c.Designs)
	if err == nil {
		err = checkEngine(c.Engine)
	}
	if err != nil {
		return report, err
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	rounds := schedule(c.Seed, c.Rounds)
	s := story{w: c.Story, strong: c.Strong}
	s.begin(c)
	for i, d := range plans {
		s.chapter(i+1, d)
		stage := stage{Config: c, plan: d, dir: filepath.Join(c.Dir, d.Name), before: i * c.Rounds, of: len(plans) * c.Rounds}
		outcome, err := play(ctx, stage, rounds, &s)
		if ctx.Err() != nil {
			err = ctx.Err() // the processes end with it, and say so in their way
		}
		if err != nil {
			return report, fmt.Errorf("demo: %s: %w", d.Title, err)
		}
		s.summary(outcome)
		report.Designs = append(report.Designs, outcome)
	}
	s.table(report)
	return report, s.err
}

// stage is where a design is played.
type stage struct {
	Config
	plan       design.Design
	dir        string
	before, of int // rounds of all designs
}

func (s stage) prepare() error { return os.Mkdir(s.dir, 0o700) }

// Verdict returns an error if a design that must hold did not.
func (r Report) Verdict() error {
	var found []error
	for _, o := range r.Designs {
		if o.holds && !o.clean() {
			found = append(found, fmt.Errorf("demo: %s failed with seed %d: %d lost, %d message keys used twice, %d sessions wedged, %d invariants broken",
				o.title, r.Seed, o.Lost, o.Reused, o.Wedged, len(o.Broken)))
		}
	}
	return errors.Join(found...)
}

func (o Outcome) clean() bool {
	return o.Lost == 0 && o.Reused == 0 && o.Wedged == 0 && len(o.Broken) == 0 && o.Decrypted == o.Messages
}
