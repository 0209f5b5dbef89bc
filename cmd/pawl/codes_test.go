package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

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
