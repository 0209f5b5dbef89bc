//go:build unix

package files

import "syscall"

// NonBlock keeps opening from waiting for the other end of a pipe.
const NonBlock = syscall.O_NONBLOCK
