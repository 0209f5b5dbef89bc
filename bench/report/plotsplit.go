package report

import (
	"slices"

	"github.com/pawlkv/pawl/bench/result"
)

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
