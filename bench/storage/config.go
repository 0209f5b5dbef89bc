package main

import (
	"io"
	"time"
)

// Config says what is measured, and where.
type Config struct {
	Dir      string        // stores are made in a new directory in it
	Rounds   int           // runs of each case
	Duration time.Duration // of a run
	Sessions int           // in the store whose opening is timed
	Value    int           // bytes of a value
	Million  bool          // measure the memory of a store of a million sessions instead
	JSON     bool          // for machines
	Out      io.Writer
}
