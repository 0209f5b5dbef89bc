package workload

import (
	"slices"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
)

// Suite returns what the command measures: quick in less than a minute, or in
// full in less than twenty. The caller sets Seed, Dir, Process and Progress.
func Suite(quick bool) []Config {
	if quick {
		return quickSuite()
	}
	return fullSuite()
}

// ours are the two designs of the product.
var ours = []string{design.NameNone, design.NameValidated}

// every is all designs.
func every() []string {
	var names []string
	for _, d := range design.All() {
		names = append(names, d.Name)
	}
	return names
}

// theirs is those that are not ours.
func theirs() []string {
	return slices.DeleteFunc(every(), func(name string) bool { return slices.Contains(ours, name) })
}

// on returns every design on every engine.
func on(engines []string, designs []string) []System {
	var all []System
	for _, e := range engines {
		for _, d := range designs {
			all = append(all, System{d, e})
		}
	}
	return all
}

func quickSuite() []Config {
	main, shared := []string{Badger}, []string{Badger, SQLite}
	return []Config{
		{Workload: Decrypt, Systems: on(Engines(), ours), Messages: 200, Runs: 5},
		{Workload: Decrypt, Params: result.Params{Batch: 100}, Systems: on(shared, ours), Messages: 500, Runs: 5},
		{Workload: Decrypt, Params: result.Params{Sessions: 10_000}, Systems: on(main, ours), Messages: 200, Runs: 5},
		{Workload: Decrypt, Params: result.Params{PeerSessions: 32}, Systems: on(main, ours), Messages: 200, Runs: 5},
		{Workload: Decrypt, Params: result.Params{Acknowledge: 100}, Systems: on(main, ours), Messages: 200, Runs: 5},
		{Workload: Encrypt, Params: result.Params{Peers: 163}, Systems: on(main, ours), Messages: 326, Runs: 3},
		{Workload: Alternate, Systems: on(main, every()), Messages: 100, Runs: 3},
		{Workload: Processes, Params: result.Params{Processes: 1}, Systems: on(main, ours), Messages: 200, Runs: 3},
		{Workload: Processes, Params: result.Params{Processes: 4}, Systems: on(main, ours), Messages: 400, Runs: 3},
		{Workload: Processes, Params: result.Params{Processes: 2, Same: true}, Systems: on(main, every()), Messages: 100, Runs: 3},
		{Workload: Start, Systems: on(shared, []string{design.NameNone}), Messages: 5, Runs: 3},
		{Workload: Day, Params: result.Params{Sessions: 5}, Systems: on(main, every()), Messages: 100, Runs: 2},
		{Workload: Sync, Systems: on(main, ours), Messages: 200, Runs: 3},
		{Workload: Sync, Params: byTwo, Systems: on(main, every()), Messages: 400, Runs: 1},
		{Workload: Share, Systems: on(main, ours), Messages: 326, Runs: 3},
		{Workload: Share, Params: byTwo, Systems: on(main, every()), Messages: 652, Runs: 1},
		{Workload: Room, Systems: on(main, ours), Messages: 100, Runs: 3},
		{Workload: Room, Params: byTwo, Systems: on(main, every()), Messages: 100, Runs: 1},
	}
}

// byTwo has app and NSE be a client together, in turn.
var byTwo = result.Params{Processes: 2}

func fullSuite() []Config {
	all, shared := Engines(), []string{Badger, BadgerClient, SQLite}
	var configs []Config
	add := func(c Config) { configs = append(configs, c) }
	add(Config{
		Workload: Decrypt, Systems: append(on(all, ours), on([]string{Badger, SQLite}, theirs())...),
		Messages: 300, Runs: 7, // each message makes the blob larger, and the next one dearer
	})
	for _, batch := range []int{10, 100, 1000} {
		add(Config{Workload: Decrypt, Params: result.Params{Batch: batch}, Systems: on(all, ours), Messages: 2000, Runs: 5})
	}
	for _, batch := range []int{1, 100} {
		add(Config{Workload: Decrypt, Params: result.Params{Batch: batch, Acknowledge: 100}, Systems: on(all, ours), Messages: 1000, Runs: 5})
	}
	for _, sessions := range []int{1, 4, 32} {
		add(Config{Workload: Decrypt, Params: result.Params{PeerSessions: sessions}, Systems: on(all, ours), Messages: 300, Runs: 5})
	}
	for _, sessions := range []int{50, 1000, 10_000} {
		for _, distribution := range []string{Uniform, Zipf} {
			add(Config{
				Workload: Decrypt, Params: result.Params{Sessions: sessions, Distribution: distribution},
				Systems: on(all, ours), Messages: 500, Runs: 5,
			})
		}
	}
	add(Config{
		Workload: Decrypt, Params: result.Params{Sessions: 1_000_000, Distribution: Uniform},
		Systems: on([]string{Badger, SQLite}, ours), Messages: 500, Runs: 5,
	})
	add(Config{
		Workload: Decrypt, Params: result.Params{Sessions: 1_000_000, Distribution: Zipf},
		Systems: on([]string{Badger}, ours), Messages: 500, Runs: 5,
	})
	for _, peers := range []int{1, 163, 1000} {
		add(Config{Workload: Encrypt, Params: result.Params{Peers: peers}, Systems: on(all, ours), Messages: max(peers, 326), Runs: 5})
	}
	add(Config{Workload: OpenIn, Systems: on(all, ours), Messages: 300, Runs: 5})
	add(Config{Workload: OpenIn, Params: result.Params{Batch: 100}, Systems: on(all, ours), Messages: 300, Runs: 5})
	add(Config{Workload: OpenOut, Params: result.Params{Peers: 163}, Systems: on(all, ours), Messages: 326, Runs: 5})
	add(Config{Workload: Alternate, Systems: on(shared, every()), Messages: 300, Runs: 5})
	for _, processes := range []int{1, 2, 4, 8} {
		add(Config{Workload: Processes, Params: result.Params{Processes: processes}, Systems: on([]string{Badger, SQLite}, ours), Messages: 300 * processes, Runs: 5})
		add(Config{
			Workload: Processes, Params: result.Params{Processes: processes, Same: true},
			Systems: on([]string{Badger, SQLite}, every()), Messages: 300, Runs: 3,
		})
	}
	for _, sessions := range []int{1, 10_000, 100_000} {
		add(Config{Workload: Start, Params: result.Params{Sessions: sessions}, Systems: on([]string{Badger, SQLite}, ours), Messages: 10, Runs: 5})
	}
	add(Config{Workload: Day, Systems: on(shared, every()), Messages: 300, Runs: 3})
	return append(configs, fullClient()...)
}

// fullClient is what a whole client does, alone on each engine and in turns.
func fullClient() []Config {
	var configs []Config
	for _, c := range []Config{
		{Workload: Sync, Messages: 400},
		{Workload: Share, Messages: 652},
		{Workload: Room, Messages: 300},
	} {
		c.Runs = 5
		c.Systems = append(on(Engines(), ours), on([]string{Badger}, theirs())...)
		configs = append(configs, c)
		c.Runs, c.Params = 3, byTwo
		c.Systems = on([]string{Badger, SQLite}, every())
		configs = append(configs, c)
	}
	return configs
}
