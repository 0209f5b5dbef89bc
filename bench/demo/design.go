package demo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/design"
)

// played are the names of the designs that tell the story, in its order.
var played = []string{design.NameStale, design.NameLease, design.NameNone, design.NameValidated}

// Designs returns the names of all designs in the order in which they are
// played.
func Designs() []string { return slices.Clone(played) }

// chosen returns the designs with these names, in the order of the story; all
// for none.
func chosen(names []string) ([]design.Design, error) {
	for _, name := range names {
		if !slices.Contains(played, name) {
			return nil, fmt.Errorf("demo: no design %q: there are %s", name, strings.Join(played, ", "))
		}
	}
	var designs []design.Design
	for _, name := range played {
		if d, ok := design.Find(name); ok && (len(names) == 0 || slices.Contains(names, name)) {
			designs = append(designs, d)
		}
	}
	return designs, nil
}

func options(d design.Design) []pawl.Option {
	return []pawl.Option{pawl.WithKey([32]byte{}), pawl.WithCache(d.Cache)}
}
