package workload

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// role makes the test's program one of Bob's processes.
const role = "PAWL_WORKLOAD_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(role) != "" {
		if err := Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// The race detector would have each process wait a second before it exits.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}

// child returns the command of one of Bob's processes.
func child(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), role+"=process")
	return cmd
}
