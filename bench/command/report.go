package command

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/bench/report"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/internal/cli"
)

// Names in the directory that --out says.
const (
	resultFile = "result.json"
	pageFile   = "report.html"
)

// saveResult writes the result first: all else can be drawn from it again.
func saveResult(folder string, r result.Result) error {
	err := saveFile(filepath.Join(folder, resultFile), r, report.Write)
	if err != nil {
		return err
	}
	return saveFile(filepath.Join(folder, pageFile), r, report.WriteHTML)
}

func saveFile(path string, r result.Result, write func(io.Writer, result.Result) error) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	return write(file, r)
}

// apart refuses files that are to be written and are one, or the result.
func apart(source, page, document string) error {
	if info, err := os.Stat(source); err == nil && info.IsDir() {
		source = filepath.Join(source, resultFile)
	}
	for _, pair := range [][2]string{{page, source}, {document, source}, {page, document}} {
		one, err := os.Stat(pair[0])
		if err != nil {
			continue // it is not there yet
		}
		if other, err := os.Stat(pair[1]); err == nil && os.SameFile(one, other) {
			return cli.Usagef("%s and %s are one file: give another", pair[0], pair[1])
		}
	}
	return nil
}

// loadResult reads what saveResult wrote: the file, or the directory it is in.
func loadResult(path string) (result.Result, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, resultFile)
	}
	file, err := os.Open(path)
	if err != nil {
		return result.Result{}, err
	}
	defer file.Close()
	r, err := report.Read(file)
	if err != nil {
		return result.Result{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func newBenchReport() *cobra.Command {
	var page, document string
	cmd := &cobra.Command{
		Use:   "report RESULT",
		Short: "Print a stored result, or draw it anew",
		Long: `Print the tables of a result of 'pawl bench', a result.json file or the directory
that it is in.

--html writes the page with plots. --document brings a Markdown document up to
date: what is between its lines "<!-- results: begin -->" and
"<!-- results: end -->" becomes the answer, and all figures, the plots and the
result go into the folder of the document's name beside it.`,
		Args: cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := loadResult(args[0])
			if err != nil {
				return err
			}
			if err := apart(args[0], page, document); err != nil {
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

func newBenchCompare() *cobra.Command {
	return &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Say what changed between two results, and whether it is noise",
		Long: `Say row by row what changed from one result of 'pawl bench' to another, and whether
it is noise: a Mann-Whitney U test over the runs tells a change from chance, and
what differs by less than the machine's own noise is none.

OLD and NEW are result.json files, or the directories that they are in.`,
		Args: cli.Arguments(cobra.ExactArgs(2)),
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
