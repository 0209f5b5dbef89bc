package report

import "github.com/pawlkv/pawl/bench/workload"

// engineTitle is an engine's name in a sentence.
func engineTitle(engine string) string {
	switch engine {
	case workload.Badger:
		return "Badger in the process"
	case workload.BadgerClient:
		return "Badger from another process"
	case workload.SQLite:
		return "SQLite"
	}
	return engine
}
