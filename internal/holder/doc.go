// Package holder names the process that holds a lock, for messages: who waits
// for a process that is stopped wants to know which one it is.
package holder

import "fmt"

// Name returns "process 4711" for the process that has a file locked as a whole
// (flock), and "another process" where the system does not tell, or names this
// process or none that it can see.
func Name(path string) string {
	if pid := Of(path); pid > 0 {
		return fmt.Sprintf("process %d", pid)
	}
	return "another process"
}
