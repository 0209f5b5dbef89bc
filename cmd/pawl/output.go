package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/internal/cli"
)

// output collects what a command prints, until it is flushed.
type output struct {
	*bufio.Writer
	under io.Writer
}

func newOutput(cmd *cobra.Command) output {
	w := cmd.OutOrStdout()
	return output{bufio.NewWriter(w), w}
}

// deliver flushes, down to the disk: what is acknowledged after it cannot be had
// again. The output is a file; see keeps.
func (o output) deliver() error {
	if err := o.Flush(); err != nil {
		return err
	}
	file, ok := o.under.(*os.File)
	if !ok {
		return errNotKept
	}
	return file.Sync()
}

var errNotKept error = cli.Usagef("--ack is for standard output in a file: whoever reads it elsewhere may not have it yet ('pawl ack STORE' acknowledges what was read)")

// keeps fails where what is printed may be lost with its reader: the output is
// not a file that has a name. The name is on the disk when it returns.
func (o output) keeps() error {
	file, ok := o.under.(*os.File)
	if !ok {
		return errNotKept
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || isNameless(info) {
		return errNotKept
	}
	return syncName(file)
}

// progress is a bar on standard error, if that is a terminal on which nothing
// else is printed. A nil progress shows nothing.
type progress struct {
	bar *progressbar.ProgressBar
}

func newProgress(cmd *cobra.Command) *progress {
	stderr := cmd.ErrOrStderr()
	if !cli.IsTerminal(stderr) || cli.IsTerminal(cmd.OutOrStdout()) {
		return nil
	}
	return &progress{progressbar.NewOptions64(inputSize(cmd.InOrStdin()),
		progressbar.OptionSetWriter(stderr),
		progressbar.OptionSetDescription("decrypting"),
		progressbar.OptionShowBytes(true),
		progressbar.OptionClearOnFinish(),
	)}
}

// inputSize returns how many bytes an input has, or -1 if nobody knows.
func inputSize(r io.Reader) int64 {
	file, ok := r.(*os.File)
	if !ok {
		return -1
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return -1
	}
	return info.Size()
}

// show tells how far the input was read. That a bar cannot be drawn is no
// reason to stop.
func (p *progress) show(bytes int64, messages int) {
	if p == nil {
		return
	}
	p.bar.Describe("decrypting, " + counted(messages, "message"))
	_ = p.bar.Set64(bytes)
}

func (p *progress) finish() {
	if p != nil {
		_ = p.bar.Finish()
	}
}

// bar shows how much of a known number of steps is done, where progress would.
// A nil bar shows nothing.
type bar struct {
	stderr io.Writer
	what   string
	bar    *progressbar.ProgressBar
}

func newBar(cmd *cobra.Command, what string) *bar {
	if stderr := cmd.ErrOrStderr(); cli.IsTerminal(stderr) {
		return &bar{stderr: stderr, what: what}
	}
	return nil
}

// step returns a function for the steps from the first on.
func (b *bar) step() func(total int) {
	if b == nil {
		return nil
	}
	b.finish()
	return func(total int) {
		if b.bar == nil {
			b.bar = progressbar.NewOptions(total,
				progressbar.OptionSetWriter(b.stderr),
				progressbar.OptionSetDescription(b.what),
				progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionClearOnFinish(),
			)
		}
		_ = b.bar.Add(1)
	}
}

func (b *bar) finish() {
	if b != nil && b.bar != nil {
		_ = b.bar.Finish()
		b.bar = nil
	}
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
