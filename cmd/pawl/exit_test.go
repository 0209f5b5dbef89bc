package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
)

func TestExit(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		line   string
	}{
		{nil, 0, ""},
		{errors.New("pawl: no such thing"), 1, "pawl: no such thing\n"},
		{errors.Join(errors.New("one"), errors.New("two")), 1, "pawl: one; two\n"},
		{fmt.Errorf("keys: %w", cli.Usagef("--count %d", 7)), 2, "pawl: keys: --count 7\n"},
		{fmt.Errorf("badgerkv: %w", kv.ErrDiskFull), 1, "pawl: badgerkv: kv: disk full (free some space and run the command again; the store is unharmed)\n"},
		{context.Canceled, 1, "pawl: context canceled (interrupted: what was printed is stored, and the rest can be given again)\n"},
	} {
		var stderr bytes.Buffer
		if got := exit(&stderr, c.err); got != c.status || stderr.String() != c.line {
			t.Errorf("exit(%v) = %d, %q; want %d, %q", c.err, got, stderr.String(), c.status, c.line)
		}
	}
}

// TestAdviceIsOneLine: scripts read one line.
func TestAdviceIsOneLine(t *testing.T) {
	text := explain(fmt.Errorf("first\r\nsecond: %w", kv.ErrDiskFull))
	if strings.ContainsAny(text, "\r\n") || !strings.HasSuffix(text, "("+advice["disk_full"]+")") {
		t.Errorf("explain: %q", text)
	}
	for code, do := range advice {
		if code.Means() == "" || strings.ContainsAny(do, "\r\n") {
			t.Errorf("advice on %q, which means %q: %q", code, code.Means(), do)
		}
	}
}
