package peer

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// syncCalls are the system calls that make something durable.
const syncCalls = "fsync,fdatasync,msync,sync_file_range"

var (
	// syncCall is a line of strace's at which a call begins; when several
	// threads call at once, its end is a line of its own.
	syncCall = regexp.MustCompile(`^\d+ +(fsync|fdatasync|msync|sync_file_range)\(`)
	// border is what mark leaves.
	border = regexp.MustCompile(`^\d+ +fsync\(-1\b`)
)

// errUntraced: the number of sync calls cannot be told.
var errUntraced = errors.New("peer: sync calls cannot be counted here")

// syncs runs a task once more, under strace, and counts the sync calls for a
// message. The time it takes means nothing.
func (p Program) syncs(ctx context.Context, t Task) (float64, error) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return Unknown, errUntraced
	}
	log := filepath.Join(filepath.Dir(t.Feed), "strace.log")
	defer os.Remove(log)
	args := append([]string{"-f", "-qq", "-e", "trace=" + syncCalls, "-e", "signal=none", "-o", log, p.Path}, t.args()...)
	out, err := output(exec.CommandContext(ctx, strace, args...))
	if err != nil {
		return Unknown, err
	}
	o, err := decodeOutcome(out)
	if err != nil {
		return Unknown, err
	}
	b, err := os.ReadFile(log)
	if err != nil {
		return Unknown, err
	}
	n, err := countSyncs(string(b))
	return float64(n) / float64(o.Run.Messages), err
}

// countSyncs counts the calls between the two marks.
func countSyncs(log string) (int, error) {
	n, marks := 0, 0
	for line := range strings.Lines(log) {
		switch {
		case border.MatchString(line):
			marks++
		case marks == 1 && syncCall.MatchString(line) && !strings.Contains(line, "MS_ASYNC"):
			n++
		}
	}
	if marks != 2 {
		return 0, errUntraced
	}
	return n, nil
}
