package main

import (
	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/bench/report"
)

func newBenchCompare() *cobra.Command {
	return &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Say what changed between two results, and whether it is noise",
		Long: `Say row by row what changed from one result of 'pawl bench' to another, and whether
it is noise: a Mann-Whitney U test over the runs tells a change from chance, and
what differs by less than the machine's own noise is none.

OLD and NEW are result.json files, or the directories that they are in.`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			old, err := loadResult(args[0])
			if err != nil {
				return err
			}
			new, err := loadResult(args[1])
			if err != nil {
				return err
			}
			return report.WriteComparison(cmd.OutOrStdout(), old, new)
		},
	}
}
