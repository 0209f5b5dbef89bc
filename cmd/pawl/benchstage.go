package main

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pawlkv/pawl/bench/workload"
)

// benchStage shows on standard error, if that is a terminal, how much of the
// suite is done and what runs now.
type benchStage struct {
	stderr io.Writer
	room   int // for what runs now, beside the bar; 0: there is no terminal
	total  int // steps of the suite
	bar    *progressbar.ProgressBar
}

func newBenchStage(cmd *cobra.Command, configs []workload.Config) *benchStage {
	s := &benchStage{stderr: cmd.ErrOrStderr()}
	for _, c := range configs {
		s.total += 1 + (1+c.Runs)*len(c.Systems) // preparing, and each system's warming up and runs
	}
	if file, ok := s.stderr.(*os.File); ok && isTerminal(file) {
		columns, _, _ := term.GetSize(int(file.Fd()))
		s.room = max(1, columns-barWidth-len("100% ||  [10m10s]      "))
	}
	return s
}

// show tells what a workload does now.
func (s *benchStage) show(p workload.Progress) {
	if s.room == 0 {
		return
	}
	if s.bar == nil {
		s.bar = s.newBar(s.total)
	}
	what := "preparing"
	switch {
	case p.System != workload.System{} && p.Run == 0:
		what = fmt.Sprintf("%v, warming up", p.System)
	case p.System != workload.System{}:
		what = fmt.Sprintf("%v, run %d of %d", p.System, p.Run, p.Runs)
	}
	s.describe(p.Workload + ": " + what)
	_ = s.bar.Add(1) // that a bar cannot be drawn is no reason to stop
}

// step tells which repetition of a peer program comes next.
func (s *benchStage) step(done, total int, next string) {
	if s.room == 0 {
		return
	}
	if done == 0 {
		s.finish()
		s.bar = s.newBar(total)
	}
	s.describe(next)
	_ = s.bar.Set(done)
}

// describe shortens: a line that wraps cannot be cleared.
func (s *benchStage) describe(text string) { s.bar.Describe(text[:min(len(text), s.room)]) }

func (s *benchStage) newBar(steps int) *progressbar.ProgressBar {
	return progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(s.stderr),
		progressbar.OptionSetWidth(barWidth),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(false), // steps are too different
		progressbar.OptionShowDescriptionAtLineEnd(),
	)
}

func (s *benchStage) finish() {
	if s.bar != nil {
		_ = s.bar.Finish()
		s.bar = nil
	}
}
