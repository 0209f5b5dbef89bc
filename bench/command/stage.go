package command

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pawlkv/pawl/internal/cli"
)

const barWidth = 12

// stage is a bar on standard error, if that is a terminal, with what happens
// now beside it.
type stage struct {
	stderr  io.Writer
	room    int // for what happens now; 0: there is no terminal
	elapsed bool
	bar     *progressbar.ProgressBar // nil until there is something to show
}

// newStage returns a stage, with the time since it began or without.
func newStage(cmd *cobra.Command, elapsed bool) *stage {
	s := &stage{stderr: cmd.ErrOrStderr(), elapsed: elapsed}
	if cli.IsTerminal(s.stderr) {
		columns, _, _ := term.GetSize(int(s.stderr.(*os.File).Fd()))
		s.room = max(1, columns-barWidth-len("100% ||  [10m10s]      "))
	}
	return s
}

// show tells how many steps are done and what comes next. That a bar cannot be
// drawn is no reason to stop.
func (s *stage) show(done, total int, next string) {
	if s.room == 0 {
		return
	}
	if s.bar == nil {
		s.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(s.stderr),
			progressbar.OptionSetWidth(barWidth),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionSetElapsedTime(s.elapsed),
			progressbar.OptionSetPredictTime(false), // steps are too different
			progressbar.OptionShowDescriptionAtLineEnd(),
		)
	}
	s.bar.Describe(next[:min(len(next), s.room)]) // a line that wraps cannot be cleared
	_ = s.bar.Set(done)
}

// clear makes room for something else to be printed.
func (s *stage) clear() {
	if s.bar != nil {
		_ = s.bar.Clear()
	}
}

func (s *stage) finish() {
	if s.bar != nil {
		_ = s.bar.Finish()
		s.bar = nil
	}
}
