package main

import (
	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/bench/command"
)

// benchCommands are those that measure and show. No other file here knows of
// package bench.
func benchCommands() []*cobra.Command {
	v := thisVersion()
	if v.Version == "(devel)" && v.Revision != "" {
		v.Version = v.Revision
	}
	return []*cobra.Command{command.Demo(), command.Bench(v.Version)}
}
