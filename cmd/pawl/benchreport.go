package main

import (
	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/bench/report"
)

func newBenchReport() *cobra.Command {
	var page, document string
	cmd := &cobra.Command{
		Use:   "report RESULT",
		Short: "Print a stored result, or draw it anew",
		Long: `Print the tables of a result of 'pawl bench', a result.json file or the directory
that it is in.

--html writes the page with plots. --document brings a Markdown document up to
date: what is between its lines "<!-- results: begin -->" and
"<!-- results: end -->" becomes the results, and the plots go into the folder
of the document's name beside it.`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := loadResult(args[0])
			if err != nil {
				return err
			}
			if page != "" {
				if err := saveFile(page, r, report.WriteHTML); err != nil {
					return err
				}
			}
			if document != "" {
				if err := report.Document(document, r); err != nil {
					return err
				}
			}
			if page != "" || document != "" {
				return nil
			}
			return report.WriteText(cmd.OutOrStdout(), r)
		},
	}
	cmd.Flags().StringVar(&page, "html", "", "write the page to this file")
	cmd.Flags().StringVar(&document, "document", "", "bring this Markdown document up to date")
	return cmd
}
