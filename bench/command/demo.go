package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/bench/demo"
	"github.com/pawlkv/pawl/internal/cli"
)

type demoCommand struct {
	rounds  int
	seed    uint64
	engine  string
	designs []string
	json    bool
}

// Demo returns the command that plays a phone. Its processes are this program
// too, called as "demo process".
func Demo() *cobra.Command {
	var c demoCommand
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a stale cache wedge a session, and Pawl not",
		Long: `Play a phone whose app and notification extension are two processes on one store,
a real one in a temporary directory, and a peer who keeps writing to them. They
are restarted, killed and stopped at random while they work: first with the
session cache that several SDKs shipped, then with the lease that replaced it,
then with Pawl. The same seed gives the same rounds.

It exits with 1 if Pawl lost a message or used a message key twice.`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: c.run,
	}
	flags := cmd.Flags()
	flags.IntVar(&c.rounds, "rounds", demo.DefaultRounds, "how many rounds are played with each design")
	flags.Uint64Var(&c.seed, "seed", 0, "the rounds (random ones if not given)")
	flags.StringVar(&c.engine, "engine", demo.Badger, "the store's engine, "+demo.Badger+" or "+demo.SQLite)
	flags.StringSliceVar(&c.designs, "designs", demo.Designs(), "which designs to play")
	cli.BindJSON(cmd, &c.json)
	cmd.AddCommand(newDemoProcess())
	return cmd
}

// newDemoProcess returns the command that the processes of the demo run.
func newDemoProcess() *cobra.Command {
	return &cobra.Command{
		Use:    "process",
		Short:  "Be a process of the demo",
		Hidden: true,
		Args:   cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo.Serve(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// demoProcess returns a process of the demo, which logs if this one does.
func demoProcess(ctx context.Context, cmd *cobra.Command, self string) *exec.Cmd {
	logs := cli.LogArguments(cmd)
	process := exec.CommandContext(ctx, self, append([]string{"demo", "process"}, logs...)...)
	if logs != nil {
		process.Stderr = cmd.ErrOrStderr()
	}
	return process
}

func (c *demoCommand) run(cmd *cobra.Command, _ []string) (err error) {
	if err := c.check(cmd); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pawl-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	shown := &shownStory{stage: newStage(cmd, false), story: cmd.OutOrStdout()}
	if c.json {
		shown.story = io.Discard
	}
	report, err := demo.Run(cmd.Context(), demo.Config{
		Rounds: c.rounds, Seed: c.seed, Engine: c.engine, Designs: c.designs, Dir: dir,
		Process:  func(ctx context.Context) *exec.Cmd { return demoProcess(ctx, cmd, self) },
		Story:    shown,
		Strong:   cli.IsColored(cmd.OutOrStdout()),
		Progress: shown.show,
	})
	shown.stage.finish()
	if err != nil {
		return err
	}
	if c.json {
		if err := cli.PrintJSON(cmd.OutOrStdout(), report); err != nil {
			return err
		}
	}
	return report.Verdict()
}

// check finds mistakes on the command line, and draws a seed if none is given.
func (c *demoCommand) check(cmd *cobra.Command) error {
	if c.rounds < 1 || c.rounds > demo.MaxRounds {
		return cli.Usagef("--rounds %d: want 1 to %d", c.rounds, demo.MaxRounds)
	}
	if c.engine != demo.Badger && c.engine != demo.SQLite {
		return cli.Usagef("--engine %q: want %s or %s", c.engine, demo.Badger, demo.SQLite)
	}
	for _, name := range c.designs {
		if !slices.Contains(demo.Designs(), name) {
			return cli.Usagef("--designs %q: want some of %s", name, strings.Join(demo.Designs(), ","))
		}
	}
	if !cmd.Flags().Changed("seed") {
		c.seed = rand.Uint64N(1_000_000) // short, to be typed again
	}
	return nil
}

// shownStory prints the demo's story, and below it what happens now.
type shownStory struct {
	stage *stage
	story io.Writer
}

// Write implements io.Writer: the story goes on above the bar.
func (s *shownStory) Write(text []byte) (int, error) {
	s.stage.clear()
	return s.story.Write(text)
}

func (s *shownStory) show(p demo.Progress) {
	s.stage.show(p.Round-1, p.Rounds, fmt.Sprintf("%s, %d lost: %s", p.Design, p.Lost, p.Event))
}
