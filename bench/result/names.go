package result

// Names of engines. BadgerClient is Badger that another process owns, which does
// nothing else.
const (
	Memory       = "memory"
	Badger       = "badger"
	BadgerClient = "badger-client"
	SQLite       = "sqlite"
)

// Engines returns the names of all engines.
func Engines() []string { return []string{Memory, Badger, BadgerClient, SQLite} }

// Names of the suite's own workloads that a report knows more about.
const (
	Decrypt   = "decrypt"
	Processes = "processes"
	Day       = "day"

	// Of a whole client:
	Sync  = "sync"  // a response of /sync with room keys
	Share = "share" // a room key for the devices of a room
	Room  = "room"  // messages of a room
)

// Uniform is the distribution of messages that hits each session as often as
// another.
const Uniform = "uniform"
