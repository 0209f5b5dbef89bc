//go:build unix

package main

import (
	"os"
	"syscall"
)

// answered are the signals for what is an error of a write too: that nobody
// reads the output, and that a file may not get larger.
var answered = []os.Signal{syscall.SIGPIPE, syscall.SIGXFSZ}
