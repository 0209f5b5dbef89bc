package report

import (
	_ "embed" // the page's text
	"html/template"
	"io"
	"strings"

	"github.com/pawlkv/pawl/bench/result"
)

//go:embed page.html
var pageText string

// pageTemplate needs nothing from elsewhere: no script, no font, no picture.
var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what the template is filled with.
type page struct {
	Headline      string
	Client        string // the same for a whole client
	Answers       []pageAnswer
	Warnings      []string
	Broken        string
	Plots         []Plot
	Tables        []pageTable
	Legend        string
	Circumstances []string
	Command       string
	Light, Dark   template.CSS
	Fonts         template.CSS
}

type pageAnswer struct{ Where, Engine, Time, CPU, NoCache string }

func (a Answer) page() pageAnswer {
	p := pageAnswer{a.Group.String(), engineTitle(a.Engine), times(a.Time), "-", nanoseconds(a.NoCache.Median)}
	if a.CPU.N > 0 {
		p.CPU = times(a.CPU)
	}
	return p
}

type pageTable struct {
	Title   string
	Columns []string
	Rows    []pageRow
	Notes   []string
}

type pageRow struct {
	Cells   []string // the first one names it
	Missing string
	Wrong   string
}

// WriteHTML writes the report as one page.
func WriteHTML(w io.Writer, r result.Result) error {
	plots, err := Plots(r)
	if err != nil {
		return err
	}
	p := page{
		Headline: Headline(r), Client: Client(r), Warnings: warnings(r), Plots: plots, Legend: legend, Circumstances: circumstances(r), Command: strings.Join(r.Command, " "),
		Light: template.CSS(declarations(everyColour(), lightOf)), Dark: template.CSS(declarations(everyColour(), darkOf)), Fonts: fonts,
	}
	for _, a := range Answers(r) {
		p.Answers = append(p.Answers, a.page())
	}
	if err := Verdict(r); err != nil {
		p.Broken = err.Error()
	}
	for _, c := range comparisons(r.Rows) {
		p.Tables = append(p.Tables, c.page())
	}
	return pageTemplate.Execute(w, p)
}

func (c comparison) page() pageTable {
	t := pageTable{Title: c.Group.String(), Columns: columns, Notes: c.notes()}
	for _, row := range c.Rows {
		t.Rows = append(t.Rows, pageRow{c.cells(row), row.Missing, wrongText(row.Wrong)})
	}
	return t
}
