package report

import "github.com/pawlkv/pawl/bench/result"

// faults shows what each design did wrong where processes shared a store.
func faults(r result.Result) []drawing {
	all := FaultsOf(r)
	if len(all) == 0 {
		return nil
	}
	c := chart{colours: wrongColours, names: []string{"sessions wedged", "messages lost", "keys reused"}, values: make([][]float64, 3), up: "of 1,000 messages"}
	for _, f := range all {
		c.categories = append(c.categories, f.Title)
		for i, n := range []int{f.Wedged, f.Lost, f.Reused} {
			c.values[i] = append(c.values[i], 1000*float64(n)/float64(f.Messages))
		}
	}
	return []drawing{{Plot{
		Name: "faults", Title: "What goes wrong when processes share a store",
		Caption: "Added up over all workloads with two or more processes and the day of a phone, for each 1,000 messages. A design without a bar did nothing wrong.",
	}, c.bars}}
}
