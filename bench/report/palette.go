package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-analyze/charts"
)

// A colour of the plots has a name, under which the style sheet has it, and is
// one thing in light and another in the dark. Plots are painted with the light
// one, which is then replaced by the name: one plot serves both.
type colour struct {
	name        string
	light, dark string // "#rrggbb"
}

var (
	inkColour  = colour{"ink", "#1f2328", "#e6edf3"}
	axisColour = colour{"axis", "#59636e", "#9198a1"}
	gridColour = colour{"grid", "#d8dee4", "#30363d"}
	pageColour = colour{"page", "#fefefe", "#0d1117"}
)

// lineColours tell lines and bars of different things apart, also for those who
// see red and green alike: each differs from its neighbours in lightness too.
var lineColours = []colour{
	{"c1", "#0b62c4", "#58a6ff"}, {"c2", "#d9600a", "#ff9b50"}, {"c3", "#0e7a5f", "#3fc79a"}, {"c4", "#b0368f", "#f08bd4"},
	{"c5", "#7a6a00", "#e3c94c"}, {"c6", "#5b4bc4", "#a99cff"}, {"c7", "#3a8fb0", "#7fd4f0"}, {"c8", "#8a5a44", "#cfa48e"},
}

// partColours are those of result.Parts: what reads is blue, the ratchet orange,
// what writes green, and what the disk takes purple.
var partColours = []colour{
	{"p1", "#0a4a94", "#2f6fc0"}, {"p2", "#3f8ae0", "#5fa5f5"}, {"p3", "#a3cdf7", "#b9dbff"},
	{"p4", "#e0700d", "#f59040"},
	{"p5", "#7cc4a4", "#a3e3c6"}, {"p6", "#12805f", "#35b387"},
	{"p7", "#b79ae6", "#cbb5f5"}, {"p8", "#6f3fc0", "#9468e0"},
	{"p9", "#a0a7af", "#6e7781"},
}

// wrongColours are those of result.Wrong.Faults. What only a whole client gets wrong is
// beside them in paler ones, but for what it uses twice, which is blue.
var wrongColours = []colour{
	{"w1", "#f2a33a", "#f2b45c"}, {"w2", "#c9372c", "#f0766c"}, {"w3", "#6b1d2a", "#b54a5c"},
	{"w4", "#e88c85", "#f7b5ae"}, {"w5", "#9c5a1a", "#c98a4a"}, {"w6", "#2f4a8a", "#7f9ee8"}, {"w7", "#8fa9dc", "#b8ccf5"},
}

func everyColour() []colour {
	all := []colour{inkColour, axisColour, gridColour, pageColour}
	all = append(all, lineColours...)
	all = append(all, partColours...)
	return append(all, wrongColours...)
}

func (c colour) paint() charts.Color { return charts.ColorFromHex(c.light) }

// named replaces the colours that a plot was painted with by their names.
func named() *strings.Replacer {
	var pairs []string
	for _, c := range everyColour() {
		pairs = append(pairs, c.paint().String(), fmt.Sprintf("var(--%s)", c.name))
	}
	return strings.NewReplacer(pairs...)
}

// declarations are the names of colours as a style sheet declares them.
func declarations(colours []colour, of func(colour) string) string {
	var b strings.Builder
	for _, c := range colours {
		fmt.Fprintf(&b, "--%s:%s;", c.name, of(c))
	}
	return b.String()
}

// coloursIn are those that a drawing uses, so that its file changes only if it does.
func coloursIn(svg string) []colour {
	return slices.DeleteFunc(everyColour(), func(c colour) bool { return !strings.Contains(svg, fmt.Sprintf("var(--%s)", c.name)) })
}

func lightOf(c colour) string { return c.light }
func darkOf(c colour) string  { return c.dark }

// palette is the theme of plots whose series have these colours.
func palette(series []colour) charts.ColorPalette {
	paints := make([]charts.Color, len(series))
	for i, c := range series {
		paints[i] = c.paint()
	}
	return charts.MakeTheme(charts.ThemeOption{
		AxisStrokeColor: axisColour.paint(), AxisSplitLineColor: gridColour.paint(),
		BackgroundColor: pageColour.paint(),
		TextColor:       inkColour.paint(), TextColorTitle: inkColour.paint(), TextColorLabel: inkColour.paint(),
		TextColorLegend: inkColour.paint(), TextColorXAxis: inkColour.paint(), TextColorYAxis: inkColour.paint(),
		SeriesColors: paints,
	})
}
