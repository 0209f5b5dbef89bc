//go:build !unix

package main

import (
	"os"
	"syscall"
)

// answered are signals for what is an error of a write too.
var answered = []os.Signal{syscall.SIGPIPE}
