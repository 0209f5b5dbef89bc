package report

import (
	"slices"
	"strings"

	"github.com/pawlkv/pawl/bench/result"
)

// note is something that is to be said of some rows of a comparison.
type note struct {
	said string
	of   []string // which rows; all of them if that is what they are
}

// notes say of each row what is on disk when a call returns, what else the call
// does, and whatever else there is to say.
func (c comparison) notes() []string {
	var all []note
	for _, row := range c.Rows {
		for _, said := range remarks(row) {
			i := slices.IndexFunc(all, func(n note) bool { return n.said == said })
			if i < 0 {
				all = append(all, note{said: said})
				i = len(all) - 1
			}
			all[i].of = append(all[i].of, contestant(row))
		}
	}
	lines := make([]string, len(all))
	for i, n := range all {
		lines[i] = n.text(len(c.Rows))
	}
	return lines
}

func remarks(row result.Row) []string {
	var said []string
	if row.Durable != "" {
		said = append(said, "on disk when a call returns: "+row.Durable)
	}
	if row.Also != "" {
		said = append(said, "a call also does: "+row.Also)
	}
	return append(said, row.Notes...)
}

func (n note) text(rows int) string {
	said := strings.TrimRight(n.said, ". ") + "."
	if len(n.of) == rows {
		return "All: " + said
	}
	return strings.Join(n.of, "; ") + ": " + said
}
