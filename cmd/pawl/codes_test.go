package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// TestCodes pins the codes: programs go by them.
func TestCodes(t *testing.T) {
	for want, err := range map[string]error{
		"corrupt":              kv.ErrCorrupt,
		"retired":              account.ErrRetired,
		"too_long":             errTooLong,
		"sender_key":           fmt.Errorf("%w: %w", errSenderKey, errBase64),
		"json":                 errJSON,
		"base64":               errBase64,
		"message_type":         pawl.ErrMessageType,
		"version":              &ratchet.VersionError{Version: 2},
		"malformed":            ratchet.ErrMalformed,
		"sender_mismatch":      &account.SenderError{},
		"self":                 pawl.ErrSelf,
		"already_processed":    pawl.ErrAlreadyProcessed,
		"unknown_one_time_key": pawl.ErrUnknownOneTimeKey,
		"one_time_key_used":    &otk.UsedError{},
		"session_pruned":       session.ErrPruned,
		"unknown_session":      pawl.ErrUnknownSession,
		"key_gone":             undecryptable(ratchet.ErrKeyGone),
		"gap":                  undecryptable(&ratchet.GapError{}),
		"unknown_chain":        undecryptable(ratchet.ErrUnknownChain),
		"zero_secret":          ratchet.ErrZeroSecret,
		"exhausted":            undecryptable(ratchet.ErrExhausted),
		"mac":                  undecryptable(ratchet.ErrMAC),
		"store":                kv.ErrDiskFull,
	} {
		if got := codeOf(err); got != want {
			t.Errorf("codeOf(%v) = %q, want %q", err, got, want)
		}
	}
	for _, err := range []error{context.Canceled, kv.ErrUnknown, errors.New("something else")} {
		if got := codeOf(err); got != storeFailed {
			t.Errorf("codeOf(%v) = %q, want %q", err, got, storeFailed)
		}
	}
	if len(codes) != 22 {
		t.Errorf("there are %d codes: pin new ones here", len(codes))
	}
}

func undecryptable(err error) error { return &pawl.UndecryptableError{Tried: 1, Err: err} }
