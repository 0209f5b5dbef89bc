package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
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

// TestEndings says of every code of the library what it is on a line of a
// stream, and what it means for the lines that follow. A new code is to be put
// here.
func TestEndings(t *testing.T) {
	of := map[ending][]pawl.Code{
		goesOn: {
			"message_type", "version", "malformed", "sender_mismatch", "self", "already_processed", "unknown_one_time_key",
			"one_time_key_used", "session_pruned", "ratchet_key", "untried", "unknown_session", "key_gone", "gap", "unknown_chain",
			"zero_secret", "exhausted", "mac",
		},
		failsAtEnd: {"corrupt", "newer", "set_aside"},
		endsStream: {"retired"},
	}
	// No error of a message: the line has the code "store".
	ofStore := []pawl.Code{
		"undecided", "not_erased", "unknown", "starved", "no_session", "keyring", "foreign", "unsupported", "needs_recovery",
		"unwitnessed", "no_account", "account_exists", "moved_on", "not_empty", "copy_differs", "not_retired", "nothing_to_move",
		"passphrase", "cost", "no_key", "user_id", "device_id", "room_id", "event_id", "key_id", "key", "json", "signature", "unsigned",
		"key_count", "key_stage", "unknown_key_id", "keys_full", "keys_exhausted", "disk_full", "too_large", "in_use", "closed",
		"invalid", "unavailable", "canceled", "deadline", "other",
	}
	var all []pawl.Code
	for want, codes := range of {
		all = append(all, codes...)
		for _, code := range codes {
			if got := endingOf(code); got != want || !slices.Contains(ofMessage, code) {
				t.Errorf("%q: ending %v, want %v; among the codes of a message: %v", code, got, want, slices.Contains(ofMessage, code))
			}
		}
	}
	if len(all) != len(ofMessage) {
		t.Errorf("%d codes of messages, want %d", len(ofMessage), len(all))
	}
	all = append(all, ofStore...)
	for _, code := range ofStore {
		if slices.Contains(ofMessage, code) {
			t.Errorf("%q is among the codes of a message", code)
		}
	}
	for _, code := range pawl.Codes() {
		if n := len(slices.DeleteFunc(slices.Clone(all), func(c pawl.Code) bool { return c != code })); n != 1 {
			t.Errorf("%q is here %d times", code, n)
		}
	}
	if len(all) != len(pawl.Codes()) {
		t.Errorf("%d codes are here, and the library has %d", len(all), len(pawl.Codes()))
	}
	if endingOf(storeFailed) != endsStream || lineCode(errors.New("some error")) != storeFailed {
		t.Error("what is no error of a message does not end the stream")
	}
}

// TestLineCodesArePawls: what goes on is not to be given again as it is.
func TestLineCodesArePawls(t *testing.T) {
	for _, code := range ofMessage {
		switch code.Remedy() {
		case pawl.RemedyNone, pawl.RemedyRepair, pawl.RemedyUpdate:
		default:
			t.Errorf("%q has the remedy %q", code, code.Remedy())
		}
	}
}
