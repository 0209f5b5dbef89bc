// Package calls is what tabs and the server of a test tell each other.
package calls

// Call is one that a tab made, as it tells the server of it: a read of a register, or a
// commit that replaces what was read.
type Call struct {
	Number  int
	Tab     string
	Key     string
	From    string // what was read
	To      string // what takes its place; "": it is a read
	Outcome string // "" before it has ended
}

// Outcomes of calls.
const (
	Read     = "read"
	Applied  = "applied"
	Conflict = "conflict"
)

// Step is what an actor is told to do.
type Step struct {
	Number int
	What   string
	Args   []string
}

// Did is what an actor says of a step.
type Did struct {
	Number int
	Said   string
}

// Count is what a counter says: which number it took of which store, or with which code a
// call has failed.
type Count struct {
	Epoch  string
	Number int
	Token  string // by which the store knows who took it
	Taken  bool
	Milli  int64 // that it took from reading to being acknowledged

	Code string
	Why  string
}

// Poll is what an actor says when it asks for a step: which of those that ran with its id
// it is.
type Poll struct{ Instance string }
