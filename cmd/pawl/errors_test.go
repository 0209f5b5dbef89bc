package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
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

// TestLineCodes pins the command's own codes, and what is the store's fault.
func TestLineCodes(t *testing.T) {
	for _, c := range []struct {
		want pawl.Code
		err  error
	}{
		{"too_long", errTooLong},
		{"sender_key", fmt.Errorf("%w: %w", errSenderKey, errBase64)},
		{"json", errJSON},
		{"base64", errBase64},
		{"corrupt", &txn.RecordError{Err: errors.New("a byte")}},
		{"newer", &txn.RecordError{Err: txn.ErrFormat}},
		{"mac", &pawl.UndecryptableError{Tried: 1, Err: ratchet.ErrMAC}},
		{"store", kv.ErrDiskFull},
		{"store", &txn.UnknownError{Err: kv.ErrCorrupt}},
		{"store", context.Canceled},
		{"store", errors.New("something else")},
	} {
		if got := lineCode(c.err); got != c.want {
			t.Errorf("lineCode(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}

// TestLineCodesArePawls: each is in the library's list, and the line is not to
// be given again as it is, which only "store" allows.
func TestLineCodesArePawls(t *testing.T) {
	for _, code := range ofMessage {
		switch code.Remedy() {
		case pawl.RemedyNone, pawl.RemedyRepair, pawl.RemedyUpdate:
		default:
			t.Errorf("%q has the remedy %q", code, code.Remedy())
		}
	}
	if len(ofMessage) != 19 {
		t.Errorf("there are %d codes of messages: say so here and in the changelog", len(ofMessage))
	}
}
