package main

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pawlkv/pawl/bench/demo"
)

const barWidth = 12

// demoStage prints the demo's story, and below it, if standard error is a
// terminal, a bar with what happens now.
type demoStage struct {
	story  io.Writer
	stderr io.Writer
	bar    *progressbar.ProgressBar // nil until there is something to show
	room   int                      // for what happens now, beside the bar; 0: there is no terminal
}

func newDemoStage(cmd *cobra.Command, json bool) *demoStage {
	s := &demoStage{story: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr()}
	if json {
		s.story = io.Discard
	}
	if file, ok := s.stderr.(*os.File); ok && isTerminal(file) {
		columns, _, _ := term.GetSize(int(file.Fd()))
		s.room = max(1, columns-barWidth-len("100% ||      "))
	}
	return s
}

// Write implements io.Writer: the story goes on above the bar.
func (s *demoStage) Write(text []byte) (int, error) {
	if s.bar != nil {
		_ = s.bar.Clear()
	}
	return s.story.Write(text)
}

// show tells how far the demo is. That a bar cannot be drawn is no reason to
// stop.
func (s *demoStage) show(p demo.Progress) {
	if s.room == 0 {
		return
	}
	if s.bar == nil {
		s.bar = progressbar.NewOptions(p.Rounds,
			progressbar.OptionSetWriter(s.stderr),
			progressbar.OptionSetWidth(barWidth),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionShowDescriptionAtLineEnd(),
		)
	}
	text := fmt.Sprintf("%s, %d lost: %s", p.Design, p.Lost, p.Event)
	s.bar.Describe(text[:min(len(text), s.room)]) // a line that wraps cannot be cleared
	_ = s.bar.Set(p.Round - 1)
}

func (s *demoStage) finish() {
	if s.bar != nil {
		_ = s.bar.Finish()
	}
}
