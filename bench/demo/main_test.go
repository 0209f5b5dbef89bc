package demo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// role makes the test's program one of Bob's processes.
const role = "PAWL_DEMO_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "process":
		if err := Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case "crash":
		fmt.Fprintln(os.Stderr, "no memory left")
		os.Exit(3)
	}
	// The race detector would have each process wait a second before it exits.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}

// as returns the command of a process with a role.
func as(what string) func(context.Context) *exec.Cmd {
	return func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), role+"="+what)
		return cmd
	}
}
