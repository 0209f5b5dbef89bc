package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pawlkv/pawl/bench/result"
)

// Marks of the part of a document that Document writes.
const (
	beginMark = "<!-- results: begin -->\n"
	endMark   = "<!-- results: end -->\n"
)

// ErrNoMarks: a document has no part for results.
var ErrNoMarks = errors.New("report: the document has no lines " + strings.TrimSpace(beginMark) + " and " + strings.TrimSpace(endMark))

// figuresName is the page with everything, beside the plots and the result.
const figuresName = "README.md"

// Document brings a Markdown document up to date: what is between its marks
// becomes the answer that the result gives. All that the answer is drawn from goes
// into the folder of the document's name beside it: a page with plots and
// tables, and the result itself. All else in the document stays.
func Document(path string, r result.Result) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(document, []byte(beginMark))
	_, after, ended := bytes.Cut(rest, []byte(endMark))
	if !found || !ended {
		return ErrNoMarks
	}
	folder := strings.TrimSuffix(path, filepath.Ext(path))
	plots, err := savePlots(folder, r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, figuresName), []byte(figures(r, plots)), 0o644); err != nil {
		return err
	}
	name := filepath.Base(folder) + "/" + figuresName
	section := fmt.Sprintf("%s\n[All figures](%s) were made on %s with `%s`.\n",
		verdict(r), name, r.Started.UTC().Format("2 January 2006"), strings.Join(r.Command, " "))
	whole := bytes.Join([][]byte{before, []byte(beginMark + "\n" + section + "\n" + endMark), after}, nil)
	return os.WriteFile(path, whole, 0o644)
}

// verdict is the answer, and what must be known before it is believed.
func verdict(r result.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", prose("", "**"+Headline(r)+"**"))
	if client := Client(r); client != "" {
		fmt.Fprintf(&b, "\n%s\n", prose("", client))
	}
	for _, w := range warnings(r) {
		fmt.Fprintf(&b, "\n%s\n", prose("> ", w))
	}
	return b.String()
}

// proseWidth is what documents are wrapped to; each sentence begins a new line.
const proseWidth = 100

func prose(prefix, s string) string {
	var lines []string
	for _, sentence := range strings.SplitAfter(s, ". ") {
		for line := range strings.Lines(text.WrapSoft(strings.TrimSpace(sentence), proseWidth-len(prefix))) {
			lines = append(lines, prefix+strings.TrimRight(line, " \n"))
		}
	}
	return strings.Join(lines, "\n")
}

// savePlots fills the folder anew: a plot that a result has no figures for must
// not stay from an older one.
func savePlots(folder string, r result.Result) ([]Plot, error) {
	plots, err := Plots(r)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	old, err := filepath.Glob(filepath.Join(folder, "*.svg"))
	if err != nil {
		return nil, err
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return nil, err
		}
	}
	for _, p := range plots {
		if err := os.WriteFile(filepath.Join(folder, p.Name+".svg"), []byte(p.SVG()), 0o644); err != nil {
			return nil, err
		}
	}
	var document bytes.Buffer
	if err := Write(&document, r); err != nil {
		return nil, err
	}
	return plots, os.WriteFile(filepath.Join(folder, "result.json"), document.Bytes(), 0o644)
}

// figures is the page with everything, in the folder of the plots.
func figures(r result.Result, plots []Plot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Figures\n\nDrawn by `pawl bench report` from [one result](result.json).\n\n%s\n", verdict(r))
	for _, p := range plots {
		fmt.Fprintf(&b, "## %s\n\n![%s](%s.svg)\n\n%s\n\n", p.Title, p.Title, p.Name, p.Caption)
	}
	if answers := Answers(r); len(answers) > 0 {
		fmt.Fprintf(&b, "## The same question everywhere\n\n%s\n\n", answersTable(answers).RenderMarkdown())
	}
	fmt.Fprintf(&b, "## All figures\n\n%s\n", legend)
	for _, c := range comparisons(r.Rows) {
		fmt.Fprintf(&b, "### %s\n\n%s\n\n", c.Group, c.table().RenderMarkdown())
		for _, note := range c.notes() {
			fmt.Fprintf(&b, "- %s\n", note)
		}
		b.WriteByte('\n')
	}
	b.WriteString("## What the figures depend on\n\n")
	for _, line := range circumstances(r) {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	if len(r.Command) > 0 {
		fmt.Fprintf(&b, "- Made with: `%s`\n", strings.Join(r.Command, " "))
	}
	return b.String()
}

func answersTable(answers []Answer) table.Writer {
	t := newTable(table.Row{"workload", "engine", "time", "CPU", "without a cache"}, 1, 2)
	for _, a := range answers {
		p := a.page()
		t.AppendRow(table.Row{p.Where, p.Engine, p.Time, p.CPU, p.NoCache})
	}
	return t
}
