// Package effort says how much tests do: as much as usual, less with -short, and
// what a flag says if it is given.
package effort

import (
	"flag"
	"strconv"
	"testing"
)

// Of returns how often a test does what it does.
func Of(usual, short int) int {
	if testing.Short() {
		return short
	}
	return usual
}

// Flag defines a flag for how often a test does what it does, and returns what
// tells it while tests run. If the flag is given, -short does not matter.
func Flag(name string, usual, short int, usage string) func() int {
	told := &count{}
	flag.Var(told, name, usage+" (default "+strconv.Itoa(usual)+", with -short "+strconv.Itoa(short)+")")
	return func() int {
		if told.given {
			return told.n
		}
		return Of(usual, short)
	}
}

// count is a flag.Value that knows whether it was given.
type count struct {
	n     int
	given bool
}

// String implements flag.Value.
func (c *count) String() string { return "" }

// Set implements flag.Value.
func (c *count) Set(text string) (err error) {
	c.n, err = strconv.Atoi(text)
	c.given = err == nil
	return err
}

// Processes skips a test whose point is processes that are started, killed and
// stopped. Such tests take seconds, and -short leaves them out.
func Processes(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short starts no processes")
	}
}
