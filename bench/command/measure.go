package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/bench/machine"
	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/bench/workload"
)

// measuring is a suite that is under way.
type measuring struct {
	*benchCommand
	dir   string // temporary
	self  string // this program
	gauge *machine.Gauge
	stage *stage
	total int // steps of the suite, of which
	done  int // are done
	rows  []result.Row
	of    []result.Version
}

// measure runs the configs and then the peer programs.
func (c *benchCommand) measure(cmd *cobra.Command, configs []workload.Config) (r result.Result, err error) {
	m := measuring{benchCommand: c, of: versions()}
	if m.self, err = os.Executable(); err != nil {
		return r, err
	}
	if m.dir, err = os.MkdirTemp(c.dir, "pawl-bench-"); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(m.dir)) }()
	r = c.begin(m.dir)
	if m.gauge, err = machine.NewGauge(m.dir); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, m.gauge.Close()) }()
	m.stage, m.total = newStage(cmd, true), steps(configs)
	err = m.all(cmd.Context(), configs)
	m.stage.finish()
	if cmd.Context().Err() != nil {
		return r, errors.New("interrupted, and nothing is written")
	}
	r.Rows, r.Versions, r.Took, r.Machine.Noise = m.rows, m.of, time.Since(r.Started), m.gauge.Noise()
	return r, err
}

// begin is the result before anything is measured.
func (c *benchCommand) begin(dir string) result.Result {
	return result.Result{
		Format: result.Format, Pawl: c.version, Command: c.command(), Started: time.Now().Round(0),
		Quick: c.quick, Seed: c.seed, Machine: machine.Describe(dir),
	}
}

// command is what anyone can type to do the same again: the paths of this
// machine are left out.
func (c *benchCommand) command() []string {
	words := []string{"pawl", "bench"}
	if c.quick {
		words = append(words, "--quick")
	}
	for _, f := range []struct {
		flag       string
		given, all []string
	}{
		{"--engine", c.engines, workload.Engines()}, {"--designs", c.designs, designNames()}, {"--workloads", c.workloads, workloadNames()},
	} {
		if !slices.Equal(f.given, f.all) {
			words = append(words, f.flag, list(f.given))
		}
	}
	if c.messages > 0 {
		words = append(words, "--messages", fmt.Sprint(c.messages))
	}
	if c.runs > 0 {
		words = append(words, "--runs", fmt.Sprint(c.runs))
	}
	return append(words, "--seed", fmt.Sprint(c.seed))
}

func (m *measuring) all(ctx context.Context, configs []workload.Config) error {
	for i, config := range configs {
		if err := m.gauge.Sample(); err != nil {
			return err
		}
		config.Dir = filepath.Join(m.dir, fmt.Sprint(i))
		if err := os.Mkdir(config.Dir, 0o700); err != nil {
			return err
		}
		config.Process = func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, m.self, "bench", "process") }
		config.Progress = m.show
		rows, err := workload.Run(ctx, config)
		if err := errors.Join(err, os.RemoveAll(config.Dir)); err != nil {
			return err
		}
		m.rows = append(m.rows, rows...)
	}
	m.stage.finish() // the peers have steps of their own
	return errors.Join(m.besides(ctx), m.gauge.Sample())
}

// steps counts, for each config, preparing it, and each system's warming up and
// runs.
func steps(configs []workload.Config) int {
	n := 0
	for _, c := range configs {
		n += 1 + (1+c.Runs)*len(c.Systems)
	}
	return n
}

// show tells what a workload does now.
func (m *measuring) show(p workload.Progress) {
	what := "preparing"
	switch {
	case p.System != workload.System{} && p.Run == 0:
		what = fmt.Sprintf("%v, warming up", p.System)
	case p.System != workload.System{}:
		what = fmt.Sprintf("%v, run %d of %d", p.System, p.Run, p.Runs)
	}
	m.done++
	m.stage.show(m.done, m.total, p.Workload+": "+what)
}

// How much of what the peer programs call long enough is run: they share the
// time with the suite.
const (
	peerRepeats      = 5
	peerShare        = 0.4
	quickPeerRepeats = 2
	quickPeerShare   = 0.1
)

// besides runs the peer programs, if they are asked for.
func (m *measuring) besides(ctx context.Context) error {
	if !slices.Contains(m.workloads, peerWorkloads) {
		return nil
	}
	c := peer.Config{
		Programs: peer.Find(ctx, m.peers, peer.Names()...), Dir: m.dir, Seed: m.seed,
		Repeats: peerRepeats, Share: peerShare, Syncs: true, Step: m.stage.show,
	}
	if m.quick {
		c.Repeats, c.Share, c.Syncs, c.Wanted = quickPeerRepeats, quickPeerShare, false, wantedQuick
	}
	if m.runs > 0 {
		c.Repeats = m.runs
	}
	found, err := peer.Measure(ctx, c)
	m.rows, m.of = append(m.rows, found.Rows...), append(m.of, found.Versions...)
	return err
}

// wantedQuick leaves out what takes long and answers no question that the others
// do not answer too.
func wantedQuick(row result.Row) bool {
	return row.Workload == peer.WorkloadDecrypt || row.Workload == peer.WorkloadShared || strings.HasPrefix(row.Workload, peer.WorkloadOlm)
}

// versions are those of what this program is built from that the figures depend
// on.
func versions() []result.Version {
	all := []result.Version{{Name: "go", Version: strings.TrimPrefix(runtime.Version(), "go")}}
	info, found := debug.ReadBuildInfo()
	if !found {
		return all
	}
	for _, dep := range info.Deps {
		for _, name := range []string{"dgraph-io/badger/v4", "ncruces/go-sqlite3", "filippo.io/edwards25519"} {
			if strings.HasSuffix(dep.Path, name) {
				all = append(all, result.Version{Name: dep.Path, Version: dep.Version})
			}
		}
	}
	return all
}
