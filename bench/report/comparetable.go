package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/pawlkv/pawl/bench/result"
)

// WriteComparison writes for a terminal what changed from one result to another.
func WriteComparison(w io.Writer, old, new result.Result) error {
	changes := Compare(old, new)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", wrapped(summary(changes)))
	if d := Differences(old, new); len(d) > 0 {
		fmt.Fprintf(&b, "Not measured under the same circumstances:\n  %s\n\n", strings.Join(d, "\n  "))
	}
	for _, group := range changesByGroup(changes) {
		fmt.Fprintf(&b, "%s\n%s\n\n", group[0].Key.Group, lines(changesTable(group)))
	}
	b.WriteString(comparisonLegend)
	_, err := io.WriteString(w, b.String())
	return err
}

const comparisonLegend = `Medians of the runs, for one message. p is how often chance alone would do as much, by a
Mann-Whitney U test; above 0.05, or below the noise of the machine, a change is noise.
Of twenty rows in which nothing changed, one has a p below 0.05 all the same.
`

// findings in the order in which one wants to hear of them.
var findings = []Finding{Broken, Mended, Slower, Faster, Added, Removed, Noise, TooFew}

// summary counts the findings: "2 slower, 1 faster, 30 noise."
func summary(changes []Change) string {
	var parts []string
	for _, f := range findings {
		n := 0
		for _, c := range changes {
			if c.Finding == f {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, f))
		}
	}
	if len(parts) == 0 {
		return "There is nothing to compare."
	}
	return "Figures compared: " + strings.Join(parts, ", ") + "."
}

func changesByGroup(changes []Change) [][]Change {
	var groups [][]Change
	for _, c := range changes {
		i := slices.IndexFunc(groups, func(g []Change) bool { return g[0].Key.Group == c.Key.Group })
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

func changesTable(changes []Change) table.Writer {
	t := newTable(table.Row{"", "", "old", "new", "change", "p", ""}, 1, 2, 7)
	for _, c := range changes {
		row := result.Row{System: c.Key.System, Design: c.Key.Design, Engine: c.Key.Engine}
		if c.Old == 0 {
			t.AppendRow(table.Row{contestant(row), c.What, "", "", "", "", c.verdict()})
			continue
		}
		t.AppendRow(table.Row{
			contestant(row), c.What, nanoseconds(c.Old), nanoseconds(c.New),
			fmt.Sprintf("%+.1f%%", 100*(c.New/c.Old-1)), fmt.Sprintf("%.3f", c.Test.P), c.verdict(),
		})
	}
	return t
}

func (c Change) verdict() string {
	if c.Because == "" {
		return string(c.Finding)
	}
	return fmt.Sprintf("%s: %s", c.Finding, c.Because)
}
