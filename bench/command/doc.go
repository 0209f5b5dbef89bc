// Package command has the commands of pawl that measure and show: bench and
// demo. They are here rather than in cmd/pawl so that what they need of this
// wing, and of charts and tables, is named in no other place.
package command
