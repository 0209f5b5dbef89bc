package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pawlkv/pawl/bench/result"
)

// columns are those of the page. On a terminal there is room for some of them.
var (
	columns  = []string{"", "time", "± half", "x", "p50", "p99", "p99.9", "CPU", "allocs", "written", "syncs", "retries", "resident"}
	terminal = []int{0, 1, 2, 3, 4, 5, 6, 7, 10}
)

// legend says what the columns are.
const legend = `Time, CPU, allocations, bytes written and sync calls are those of one message, the median
of the runs; the middle half of the runs' times lies within "± half". x is how many times
the time of Pawl without a cache on the same engine, or else of the first row with a 1; ~1
stands where the middle half of the ratios lies on both sides of 1: no difference seen.
p50, p99 and p99.9 are those of a call. A dash is what cannot be told.
`

// WriteText writes the report for a terminal.
func WriteText(w io.Writer, r result.Result) error {
	var b strings.Builder
	for _, said := range append(present(Headline(r), Client(r)), warnings(r)...) {
		fmt.Fprintf(&b, "%s\n\n", wrapped(said))
	}
	for _, c := range comparisons(r.Rows) {
		fmt.Fprintf(&b, "%s\n%s\n\n", c.Group, lines(c.table()))
	}
	b.WriteString(legend)
	b.WriteByte('\n')
	for _, said := range circumstances(r) {
		fmt.Fprintln(&b, wrapped(said))
	}
	if len(r.Command) > 0 { // in one line, to be copied
		fmt.Fprintf(&b, "Made with: %s\n", strings.Join(r.Command, " "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// terminalWidth is what sentences are wrapped to; tables are as wide as they are.
const terminalWidth = 88

func wrapped(s string) string { return trimmed(text.WrapSoft(s, terminalWidth)) }

// table is one comparison's.
func (c comparison) table() table.Writer {
	header := table.Row{}
	for _, i := range terminal {
		header = append(header, columns[i])
	}
	t := newTable(append(header, ""), 1, len(header)+1)
	for _, row := range c.Rows {
		cells, line := c.cells(row), table.Row{}
		for _, i := range terminal {
			line = append(line, cells[i])
		}
		t.AppendRow(append(line, row.Missing+wrongText(row.Wrong)))
	}
	t.SuppressEmptyColumns()
	return t
}

// lines renders a table without the blanks that fill its last column.
func lines(t table.Writer) string {
	return trimmed(t.Render())
}

func trimmed(s string) string {
	var all []string
	for line := range strings.Lines(s) {
		all = append(all, strings.TrimRight(line, " \n"))
	}
	return strings.Join(all, "\n")
}

// newTable returns a table without lines, in which figures stand under each
// other.
func newTable(header table.Row, words ...int) table.Writer {
	t := table.NewWriter()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format = table.FormatOptions{Header: text.FormatDefault, Row: text.FormatDefault}
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	t.AppendHeader(header)
	configs := make([]table.ColumnConfig, len(header))
	for i := range configs {
		configs[i] = table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight}
	}
	for _, n := range words {
		configs[n-1].Align, configs[n-1].AlignHeader = text.AlignLeft, text.AlignLeft
	}
	t.SetColumnConfigs(configs)
	return t
}

// cells are what stands in the columns.
func (c comparison) cells(row result.Row) []string {
	if row.Missing != "" {
		return append([]string{contestant(row)}, make([]string, len(columns)-1)...)
	}
	time := Measure(TimePerMessage).Of(row)
	return []string{
		contestant(row), nanoseconds(time.Median), halfWidth(time), c.against(row),
		latencyText(row, row.Latency.P50), latencyText(row, row.Latency.P99), latencyText(row, row.Latency.P999),
		cpuText(row), known(row.Cost.Allocs), known(row.Cost.Written), known(row.Cost.Syncs), known(row.Cost.Retries),
		bytesText(row.Resident),
	}
}

// halfWidth is half of where the middle half lies, in parts of the median.
func halfWidth(s Spread) string {
	return fmt.Sprintf("%.0f%%", 50*(s.High-s.Low)/s.Median)
}

func latencyText(row result.Row, d result.Duration) string {
	if row.Latency.P999 == 0 {
		return "-"
	}
	return short(d)
}

func cpuText(row result.Row) string {
	cpu := Measure(CPUPerMessage).Of(row)
	if cpu.Median <= 0 {
		return "-"
	}
	return nanoseconds(cpu.Median)
}
