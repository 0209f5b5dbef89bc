package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-analyze/charts"
)

// Sizes of plots in pixels of an unscaled page.
const (
	plotWidth  = 840
	lineHeight = 360
	barHeight  = 30 // of a bar, with what is around it
	barsFrame  = 120
	// groupedHeight is what a further bar of a category adds.
	groupedHeight = 18
	fontSize      = 13
	crowded       = 10 // points on a line, which are not marked then
)

// chart is data to be drawn.
type chart struct {
	colours    []colour
	names      []string    // of the series, as in the legend
	categories []string    // what each value of a series stands for
	values     [][]float64 // by series; missing ones are charts.GetNullValue()
	across     string      // title of the axis of the categories
	up         string      // title of the axis of the values
	grouped    bool        // bars of a category lie below each other
}

// bars draws a category below the other, and its series on top of each other
// unless they are grouped. What is not stacked has its number at the end.
func (c chart) bars() (string, error) {
	height := barsFrame + barHeight*len(c.categories)
	if c.grouped {
		height += groupedHeight * len(c.categories) * (len(c.values) - 1)
	}
	return draw(plotWidth, height, func(p *charts.Painter) error {
		o := charts.NewBarChartOptionWithData(reversed(c.values))
		o.Theme = palette(c.colours)
		o.Horizontal = true
		o.StackSeries = charts.Ptr(c.stacked())
		o.BarSize = 0.62
		o.Legend = c.legend()
		o.CategoryAxis = charts.CategoryAxisOption{Labels: reversedNames(c.categories), LabelFontStyle: font()}
		o.ValueAxis = []charts.ValueAxisOption{c.along()}
		o.Padding = charts.NewBox(8, 8, 40, 8)
		for i := range o.SeriesList {
			o.SeriesList[i].Label = charts.SeriesLabel{Show: charts.Ptr(!c.stacked()), ValueFormatter: barNumber, FontStyle: font()}
		}
		return p.BarChart(o)
	})
}

func (c chart) stacked() bool { return len(c.values) > 1 && !c.grouped }

// lines draws each series as a line from category to category.
func (c chart) lines() (string, error) {
	return draw(plotWidth, lineHeight, func(p *charts.Painter) error {
		o := charts.NewLineChartOptionWithData(c.values)
		o.Theme = palette(c.colours)
		o.Legend = c.legend()
		o.XAxis = charts.XAxisOption{Labels: c.categories, LabelFontStyle: font(), Title: c.across, TitleFontStyle: font()}
		o.YAxis = []charts.YAxisOption{c.upright()}
		o.LineStrokeWidth = 2.5
		if len(c.categories) > crowded {
			o.Symbol = charts.Symbol{Shape: charts.SymbolNone}
			o.XAxis.LabelCount = len(c.categories) // some of which have no name
		}
		o.Padding = charts.NewBox(8, 8, 24, 8)
		return p.LineChart(o)
	})
}

// longest is the length of the longest bar.
func (c chart) longest() float64 {
	most := 0.0
	for i := range c.categories {
		sum := 0.0
		for _, v := range c.values {
			sum += v[i]
			most = max(most, v[i])
		}
		if c.stacked() {
			most = max(most, sum)
		}
	}
	return most
}

// along is the axis that bars lie along. The library moves its last number to
// the left, on top of the one before, if it would reach beyond the drawing: it
// is left out, being beyond the longest bar.
func (c chart) along() charts.ValueAxisOption {
	longest := c.longest()
	reach := longest
	if !c.stacked() {
		reach *= 1.15 // the bars have their numbers at the end
	}
	step := roundStep(reach / barSteps)
	steps := math.Max(1, math.Ceil(reach/step))
	return charts.ValueAxisOption{
		Title: c.up, TitleFontStyle: font(), LabelFontStyle: font(),
		Min: charts.Ptr(0.0), Max: charts.Ptr(step * steps), LabelCount: int(steps) + 1,
		RangeValuePaddingScale: charts.Ptr(0.0), PreferNiceIntervals: charts.Ptr(false),
		ValueFormatter: func(v float64) string {
			if v > longest {
				return ""
			}
			return axisNumber(v)
		},
	}
}

// upright is the axis of lines, counted in round numbers like the one of bars.
func (c chart) upright() charts.YAxisOption {
	highest := 0.0
	for _, v := range slices.Concat(c.values...) {
		if v != charts.GetNullValue() {
			highest = max(highest, v)
		}
	}
	step := roundStep(highest / lineSteps)
	steps := math.Max(1, math.Ceil(highest/step))
	return charts.YAxisOption{
		Title: c.up, TitleFontStyle: font(), LabelFontStyle: font(), ValueFormatter: axisNumber,
		Min: charts.Ptr(0.0), Max: charts.Ptr(step * steps), LabelCount: int(steps) + 1,
		RangeValuePaddingScale: charts.Ptr(0.0), PreferNiceIntervals: charts.Ptr(false),
	}
}

// lineSteps is at most how many steps the axis of lines has.
const lineSteps = 8

// barSteps is about how many steps the axis of bars has.
const barSteps = 6

// roundStep is the next larger number that one counts in: 1, 2, 5, 10, ...
func roundStep(least float64) float64 {
	if !(least > 0) {
		return 1
	}
	decade := math.Pow(10, math.Floor(math.Log10(least)))
	for _, n := range []float64{1, 2, 5} {
		if n*decade >= least {
			return n * decade
		}
	}
	return 10 * decade
}

// barNumber prints what a bar stands for.
func barNumber(v float64) string {
	if v >= 1000 {
		return thousands(int(math.Round(v)))
	}
	return digits(v)
}

// axisNumber prints a number as short as it is.
func axisNumber(v float64) string {
	if v == math.Trunc(v) {
		return thousands(int(v))
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func (c chart) legend() charts.LegendOption {
	return charts.LegendOption{
		SeriesNames: c.names, FontStyle: font(), Show: charts.Ptr(len(c.names) > 1),
		Symbol: charts.SymbolSquare,
	}
}

func font() charts.FontStyle {
	return charts.FontStyle{FontSize: fontSize, FontColor: inkColour.paint()}
}

// reversed turns the categories round: the library draws the first one lowest.
func reversed(values [][]float64) [][]float64 {
	turned := make([][]float64, len(values))
	for i, v := range values {
		for j := range v {
			turned[i] = append(turned[i], v[len(v)-1-j])
		}
	}
	return turned
}

func reversedNames(names []string) []string {
	var turned []string
	for i := range names {
		turned = append(turned, names[len(names)-1-i])
	}
	return turned
}

// draw paints an SVG whose colours are names.
func draw(width, height int, paint func(*charts.Painter) error) (string, error) {
	p := charts.NewPainter(charts.PainterOptions{
		OutputFormat: charts.ChartOutputSVG, Width: width, Height: height,
	})
	if err := paint(p); err != nil {
		return "", fmt.Errorf("report: draw: %w", err)
	}
	svg, err := p.Bytes()
	if err != nil {
		return "", fmt.Errorf("report: draw: %w", err)
	}
	return named().Replace(string(svg)), nil
}

// fonts have the widths that the library lays text out with.
const fonts = `Roboto,Arial,"Liberation Sans",Helvetica,sans-serif`

// Plot is a drawing and what it is of.
type Plot struct {
	Name    string // "split": of files
	Title   string
	Caption string // how to read it, and what it does not show
	svg     string
}

// SVG returns the plot as a file of its own, which follows the reader's
// preference for light or dark.
func (p Plot) SVG() string {
	colours := coloursIn(p.svg)
	style := fmt.Sprintf("<style>:root{%s}@media(prefers-color-scheme:dark){:root{%s}}text{font-family:%s!important}</style>",
		declarations(colours, lightOf), declarations(colours, darkOf), fonts)
	return p.opened(style)
}

// Inline returns the plot as part of a page that declares the colours.
func (p Plot) Inline() template.HTML { return template.HTML(p.opened("")) }

// opened puts a description, and then what is given, where the drawing begins.
func (p Plot) opened(with string) string {
	head := fmt.Sprintf(`<svg role="img" aria-label="%s" `, template.HTMLEscapeString(p.Title))
	svg := strings.Replace(p.svg, "<svg ", head, 1)
	return strings.Replace(svg, ">", ">"+with, 1)
}
