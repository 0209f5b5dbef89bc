package report

import (
	"slices"
	"strings"

	"github.com/pawlkv/pawl/bench/result"
)

// Plots draws what a result has the figures for.
func Plots(r result.Result) ([]Plot, error) {
	var plots []Plot
	for _, kind := range kinds(r) {
		for _, d := range kind(r) {
			svg, err := d.draw()
			if err != nil {
				return nil, err
			}
			d.Plot.svg = svg
			plots = append(plots, d.Plot)
		}
	}
	return plots, nil
}

// kinds are the plots that a result is good for: the few repetitions of a quick
// run would bend lines over sizes and processes either way.
func kinds(r result.Result) []func(result.Result) []drawing {
	if r.Quick {
		return []func(result.Result) []drawing{splits, latencies, faults, clientFaults, besides}
	}
	return []func(result.Result) []drawing{splits, latencies, scaling, sizes, crowds, faults, clientFaults, besides}
}

// drawing is a plot that is not drawn yet.
type drawing struct {
	Plot
	draw func() (string, error)
}

// telling are the rows that the answer comes from, or else those of the first group
// with what is asked for.
func telling(r result.Result, has func(result.Row) bool) []result.Row {
	var group *Group
	if answers := Answers(r); len(answers) > 0 {
		group = &answers[0].Group
	}
	var best []result.Row
	for _, c := range comparisons(r.Rows) {
		rows := slices.DeleteFunc(slices.Clone(c.Rows), func(row result.Row) bool { return row.Missing != "" || !has(row) })
		if len(rows) > 0 && (best == nil || group != nil && c.Group == *group) {
			best = rows
		}
	}
	return best
}

// microseconds is the unit of plots of time.
func microseconds(ns float64) float64 { return ns / 1e3 }

// splits shows where a message's time goes, in each design and engine.
func splits(r result.Result) []drawing {
	rows := telling(r, func(row result.Row) bool { return isOurs(row) && len(row.Split) > 0 })
	if len(rows) == 0 {
		return nil
	}
	c := chart{up: "microseconds of a message"}
	for _, row := range rows {
		c.categories = append(c.categories, contestant(row))
	}
	for i, part := range result.Parts {
		values := make([]float64, len(rows))
		for j, row := range rows {
			values[j] = microseconds(float64(partOf(row, part)))
		}
		if slices.ContainsFunc(values, func(v float64) bool { return v > 0 }) {
			c.colours, c.names, c.values = append(c.colours, partColours[i]), append(c.names, part), append(c.values, values)
		}
	}
	return []drawing{{Plot{
		Name: "split", Title: "Where the time of a message goes",
		Caption: "In " + GroupOf(rows[0]).String() + ". Reading and committing include what the engine does; open and seal are the encryption of records, decode and encode their bytes; " +
			"sync is the wait for the disk. Without a cache, read, open and decode are what is paid again for each message.",
	}, c.bars}}
}

func partOf(row result.Row, name string) result.Duration {
	i := slices.IndexFunc(row.Split, func(p result.Part) bool { return p.Name == name })
	if i < 0 {
		return 0
	}
	return row.Split[i].Time
}

// faults shows what each design did wrong where processes shared a store.
func faults(r result.Result) []drawing {
	return faultsOf(r, false, Plot{
		Name: "faults", Title: "What goes wrong when processes share a store",
		Caption: "Added up over all workloads with two or more processes and the day of a phone, for each 1,000 messages. A design without a bar did nothing wrong.",
	})
}

// clientFaults shows the same where processes are a whole client.
func clientFaults(r result.Result) []drawing {
	return faultsOf(r, true, Plot{
		Name: "faults-client", Title: "What goes wrong when processes are a client together",
		Caption: "App and extension in turn: whole syncs and sharing the room's key, sharing alone, and messages of a room; added up, for each 1,000 keys and messages. " +
			"A room key that is lost is a room that cannot be read. An index is used twice when two messages of a room leave under one key. A design without a bar did nothing wrong.",
	})
}

func faultsOf(r result.Result, client bool, p Plot) []drawing {
	all := FaultsOf(r, client)
	if len(all) == 0 {
		return nil
	}
	c := chart{up: "of 1,000 messages"}
	for _, f := range all {
		c.categories = append(c.categories, f.Title)
	}
	for i, kind := range (result.Wrong{}).Faults() {
		values, some := make([]float64, len(all)), false
		for j, f := range all {
			n := f.Faults()[i].Count
			values[j], some = 1000*float64(n)/float64(f.Messages), some || n > 0
		}
		if some || i == 0 { // an empty chart has one kind
			c.colours, c.names, c.values = append(c.colours, wrongColours[i]), append(c.names, kind.Name), append(c.values, values)
		}
	}
	return []drawing{{p, c.bars}}
}

// besides shows Pawl beside other systems, one plot for each workload that both
// can do.
func besides(r result.Result) []drawing {
	var drawings []drawing
	for _, c := range comparisons(r.Rows) {
		rows := slices.DeleteFunc(slices.Clone(c.Rows), func(row result.Row) bool { return row.Missing != "" })
		ours := func(row result.Row) bool { return row.System == pawlSystem }
		theirs := func(row result.Row) bool { return row.System != pawlSystem }
		if slices.ContainsFunc(rows, ours) && slices.ContainsFunc(rows, theirs) && c.Params.Processes < 2 {
			drawings = append(drawings, beside(c.Group, rows))
		}
	}
	return drawings
}

func beside(g Group, rows []result.Row) drawing {
	c := chart{colours: lineColours, names: []string{"time", "CPU"}, grouped: true, up: "microseconds a message", values: make([][]float64, 2)}
	for _, row := range rows {
		c.categories = append(c.categories, contestant(row))
		for i, m := range []Measure{TimePerMessage, CPUPerMessage} {
			c.values[i] = append(c.values[i], max(0, microseconds(m.Of(row).Median)))
		}
	}
	caption := "Less is better."
	if slices.ContainsFunc(rows, func(row result.Row) bool { return row.Durable != "" }) {
		caption = "Less is better, but only among those that have as much on disk when they return: the notes below the table say what."
	}
	return drawing{Plot{
		Name: "beside-" + fileName(g.String()), Title: "Beside other systems: " + g.String(),
		Caption: caption,
	}, c.bars}
}

// fileName turns words into a name that every file system takes.
func fileName(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return strings.Join(words, "-")
}
