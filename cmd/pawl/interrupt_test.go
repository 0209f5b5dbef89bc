package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestInterrupt: a command that waits for its input ends when it is told to,
// what it had printed was done, and the store is free again.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Logf("a process cannot be interrupted from outside on %s", runtime.GOOS)
		return
	}
	store := filepath.Join(t.TempDir(), "phone")
	run(t, "init", store, "--user", "@alice:example.org", "--device", "PHONE")

	cmd := exec.Command("pawl", "decrypt", store, "--jsonl", "--batch", "1")
	in, out, stderr := pipes(t, cmd)
	if _, err := io.WriteString(in, "no message\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(answer, `"code":"json"`) {
		t.Fatalf("answer %q, %v", answer, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var failed *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &failed) || failed.ExitCode() != 130 {
		t.Fatalf("it ends with %v, want status 130", err)
	}
	if got := stderr.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "interrupted") {
		t.Fatalf("on standard error: %q", got)
	}
	run(t, "check", store)
}

func pipes(t *testing.T, cmd *exec.Cmd) (io.WriteCloser, io.Reader, *bytes.Buffer) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return in, out, stderr
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("pawl", args...).CombinedOutput(); err != nil {
		t.Fatalf("pawl %v: %v\n%s", args, err, out)
	}
}
