package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
)

// Faults is what a design did wrong, in all its rows together.
type Faults struct {
	Title    string
	Claims   bool // to do nothing wrong
	Messages int
	result.Wrong
}

// FaultsOf adds up by design what went wrong where several processes were at
// work, Pawl's designs and then the other systems, in their order: of whole clients,
// or of all that only handles messages of one device to another.
func FaultsOf(r result.Result, client bool) []Faults {
	var all []Faults
	for _, row := range r.Rows {
		if row.Missing != "" || row.Params.Processes < 2 && row.Workload != result.Day || isClient(row) != client {
			continue
		}
		title := systemTitle(row)
		i := slices.IndexFunc(all, func(f Faults) bool { return f.Title == title })
		if i < 0 {
			all = append(all, Faults{Title: title, Claims: claims(row)})
			i = len(all) - 1
		}
		all[i].add(row)
	}
	return all
}

func (f *Faults) add(row result.Row) {
	for _, run := range row.Runs {
		f.Messages += run.Messages
	}
	f.Wrong = f.Wrong.Plus(row.Wrong)
}

// isClient tells the workloads of a whole client.
func isClient(row result.Row) bool {
	return slices.Contains([]string{result.Sync, result.Share, result.Room}, row.Workload)
}

func claims(row result.Row) bool {
	d, found := design.Find(row.Design)
	return row.System == pawlSystem && found && d.Holds
}

// Verdict is an error if a design that claims to do nothing wrong did, in
// whatever workload.
func Verdict(r result.Result) error {
	var wrong []string
	for _, row := range r.Rows {
		if claims(row) && row.Wrong.Any() {
			wrong = append(wrong, fmt.Sprintf("%s, %s: %s", contestant(row), GroupOf(row), wrongText(row.Wrong)))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("a promise is broken: %s", strings.Join(wrong, "; "))
}

func wrongText(w result.Wrong) string {
	var parts []string
	for _, f := range w.Faults() {
		if f.Count > 0 {
			parts = append(parts, thousands(f.Count)+" "+f.Short)
		}
	}
	return strings.Join(parts, ", ")
}
