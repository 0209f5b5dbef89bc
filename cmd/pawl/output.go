package main

import (
	"bufio"
	"io"
	"os"

	"github.com/spf13/cobra"
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

// deliver flushes, down to the disk where the output is a file: what is
// acknowledged after it cannot be had again.
func (o output) deliver() error {
	if err := o.Flush(); err != nil {
		return err
	}
	file, ok := o.under.(*os.File)
	if !ok {
		return nil
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return file.Sync()
}
