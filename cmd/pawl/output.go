package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// printJSON writes a value as one line.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// bindJSON adds --json.
func bindJSON(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "json", false, "print JSON")
}

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
