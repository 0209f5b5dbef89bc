package command

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/report"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/bench/workload"
	"github.com/pawlkv/pawl/internal/cli"
)

// peerWorkloads is what --workloads calls all that the peer programs do.
const peerWorkloads = "peers"

type benchCommand struct {
	version   string // of this program
	quick     bool
	json      bool
	out       string
	dir       string
	peers     string
	engines   []string
	designs   []string
	workloads []string
	messages  int
	runs      int
	seed      uint64
}

// Bench returns the command that measures. The processes of the workloads are
// this program too, called as "bench process". The result has the version.
func Bench(version string) *cobra.Command {
	c := benchCommand{version: version}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what having no cache costs, beside other designs and systems",
		Long: `Measure what having no cache costs: Pawl with and without one, the designs that
other systems have, and those systems themselves where 'make peers' has built
them. What is compared runs in turn, again and again. Beside its speed, each
design's wedged sessions, lost messages and reused keys are counted.

It prints tables, and writes DIR/result.json and DIR/report.html, a page with
plots. --json prints the result instead, and writes only if --out is given.

It exits with 1 if Pawl lost anything or used any key twice.`,
		Args: cli.Arguments(cli.NoSuchCommand),
		RunE: c.run,
	}
	flags := cmd.Flags()
	flags.BoolVar(&c.quick, "quick", false, "take less than a minute rather than less than twenty")
	flags.StringVar(&c.out, "out", "", "the directory for the result and the page (default pawl-bench-DATE-TIME)")
	flags.StringVar(&c.dir, "dir", os.TempDir(), "where the stores are made: its disk is measured")
	flags.StringVar(&c.peers, "peers", filepath.Join("build", "peers"), "the directory of the peer programs")
	flags.StringSliceVar(&c.engines, "engine", workload.Engines(), "which engines to measure")
	flags.StringSliceVar(&c.designs, "designs", designNames(), "which designs to measure")
	flags.StringSliceVar(&c.workloads, "workloads", workloadNames(), "which workloads to measure")
	flags.IntVar(&c.messages, "messages", 0, "messages in a run (0: as many as the suite says)")
	flags.IntVar(&c.runs, "runs", 0, "runs of each (0: as many as the suite says)")
	flags.Uint64Var(&c.seed, "seed", 0, "keys, messages and their order (random ones if not given)")
	cli.BindJSON(cmd, &c.json)
	cmd.AddCommand(newBenchCompare(), newBenchReport(), newBenchProcess())
	return cmd
}

func designNames() []string {
	var names []string
	for _, d := range design.All() {
		names = append(names, d.Name)
	}
	return names
}

func workloadNames() []string {
	var names []string
	for _, k := range workload.Kinds() {
		names = append(names, k.Name)
	}
	return append(names, peerWorkloads)
}

// newBenchProcess returns the command that the processes of the workloads run.
func newBenchProcess() *cobra.Command {
	return &cobra.Command{
		Use:    "process",
		Short:  "Be a process of a workload",
		Hidden: true,
		Args:   cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return workload.Serve(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

func (c *benchCommand) run(cmd *cobra.Command, _ []string) error {
	if err := c.check(cmd); err != nil {
		return err
	}
	configs := c.suite()
	if len(configs) == 0 && !slices.Contains(c.workloads, peerWorkloads) {
		return cli.Usagef("no workload is left: the suite has none of %s on %s with %s", list(c.workloads), list(c.engines), list(c.designs))
	}
	folder, err := c.makeOut()
	if err != nil {
		return err
	}
	r, err := c.measure(cmd, configs)
	if err != nil {
		_ = os.Remove(folder) // unless there is something in it
		return err
	}
	if err := c.deliver(cmd, folder, r); err != nil {
		return err
	}
	return report.Verdict(r)
}

func list(words []string) string { return strings.Join(words, ",") }

// check finds mistakes on the command line, and draws a seed if none is given.
func (c *benchCommand) check(cmd *cobra.Command) error {
	for _, f := range []struct {
		flag        string
		given, want []string
	}{
		{"engine", c.engines, workload.Engines()},
		{"designs", c.designs, designNames()},
		{"workloads", c.workloads, workloadNames()},
	} {
		for _, name := range f.given {
			if !slices.Contains(f.want, name) {
				return cli.Usagef("--%s %q: want some of %s", f.flag, name, list(f.want))
			}
		}
	}
	if flags := cmd.Flags(); flags.Changed("messages") && c.messages < 1 || flags.Changed("runs") && c.runs < 1 {
		return cli.Usagef("--messages and --runs: want 1 or more")
	}
	if !cmd.Flags().Changed("seed") {
		c.seed = rand.Uint64N(1_000_000) // short, to be typed again
	}
	return nil
}

// suite is what is asked for of the suite.
func (c *benchCommand) suite() []workload.Config {
	var configs []workload.Config
	for _, config := range workload.Suite(c.quick) {
		config.Systems = slices.DeleteFunc(config.Systems, func(s workload.System) bool {
			return !slices.Contains(c.engines, s.Engine) || !slices.Contains(c.designs, s.Design)
		})
		if len(config.Systems) == 0 || !slices.Contains(c.workloads, config.Workload) {
			continue
		}
		if c.messages > 0 {
			config.Messages = c.messages
		}
		if c.runs > 0 {
			config.Runs = c.runs
		}
		config.Seed = c.seed
		configs = append(configs, config)
	}
	return configs
}

// makeOut makes the directory before anything is measured: who waits twenty
// minutes wants to have the result. It returns "" if nothing is to be written.
func (c *benchCommand) makeOut() (string, error) {
	folder := c.out
	if folder == "" {
		if c.json {
			return "", nil
		}
		folder = time.Now().Format("pawl-bench-20060102-150405")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	if _, err := os.Lstat(filepath.Join(folder, resultFile)); err == nil {
		return "", cli.Usagef("--out %s: it has a result already", folder)
	}
	return folder, nil
}

// deliver prints the result and writes it into a folder, if there is one.
func (c *benchCommand) deliver(cmd *cobra.Command, folder string, r result.Result) error {
	stdout := cmd.OutOrStdout()
	if folder != "" {
		if err := saveResult(folder, r); err != nil {
			return err
		}
	}
	if c.json {
		return report.Write(stdout, r)
	}
	if err := report.WriteText(stdout, r); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "\nWritten: %s, %s\n", filepath.Join(folder, resultFile), filepath.Join(folder, pageFile))
	return err
}
