package report

import "github.com/pawlkv/pawl/bench/result"

// engineTitle is an engine's name in a sentence.
func engineTitle(engine string) string {
	switch engine {
	case result.Badger:
		return "Badger in the process"
	case result.BadgerClient:
		return "Badger from another process"
	case result.SQLite:
		return "SQLite"
	}
	return engine
}
