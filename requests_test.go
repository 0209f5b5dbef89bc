package pawl_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/txn"
)

// TestAnswersToNothing: an answer to a request that was never made changes nothing.
func TestAnswersToNothing(t *testing.T) {
	alice := newDevice(t, newMemory(), "@alice:example.org")
	if err := alice.MarkSent(t.Context(), pawl.RequestID{1}, []byte(`{}`)); !errors.Is(err, pawl.ErrNoRequest) {
		t.Errorf("%v for an answer", err)
	}
	for _, why := range []pawl.Failure{pawl.NotSent(), pawl.Unknown(), pawl.Refused(500, nil), pawl.Later(alice.clock.now())} {
		if err := alice.MarkFailed(t.Context(), pawl.RequestID{1}, why); !errors.Is(err, pawl.ErrNoRequest) {
			t.Errorf("%v for a failure", err)
		}
	}
	if err := alice.MarkFailed(t.Context(), pawl.RequestID{1}, pawl.Failure{}); !errors.Is(err, pawl.ErrAnswer) {
		t.Errorf("%v for a failure without a reason", err)
	}
}

// TestBodyIsTheCallers: what a caller does with a request's body changes nothing of what
// goes out the next time.
func TestBodyIsTheCallers(t *testing.T) {
	for _, policy := range []txn.CachePolicy{txn.NoCache, txn.Validated} {
		alice := newDevice(t, newMemory(), "@alice:example.org", pawl.WithCache(policy))
		var first []byte
		for i := range 3 {
			out, err := alice.OutgoingRequests(t.Context())
			if err != nil || len(out) == 0 {
				t.Fatalf("%d requests, %v", len(out), err)
			}
			if i == 0 {
				first = bytes.Clone(out[0].Body)
			} else if !bytes.Equal(out[0].Body, first) {
				t.Errorf("policy %v: the body is %.40q, want %.40q", policy, out[0].Body, first)
			}
			clear(out[0].Body)
			if err := alice.MarkFailed(t.Context(), out[0].ID, pawl.NotSent()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestResultsAreTheCallers: nor does it with a plaintext that comes from a receipt, nor with
// an extra record, be it read or written.
func TestResultsAreTheCallers(t *testing.T) {
	for _, policy := range []txn.CachePolicy{txn.NoCache, txn.Validated} {
		alice, bob := newDevice(t, newMemory(), "@alice:example.org", pawl.WithCache(policy)), newDevice(t, newMemory(), "@bob:example.org")
		sent := bob.send(alice, "hello", pawl.WithOneTimeKey(alice.oneTimeKey()))
		for range 3 {
			got, err := alice.Decrypt(t.Context(), bob.id.Curve25519, sent)
			if err != nil || string(got.Plaintext) != "hello" {
				t.Errorf("policy %v: it reads %q, %v", policy, got.Plaintext, err)
			}
			clear(got.Plaintext)
		}
		value := []byte("value")
		if err := alice.ChangeExtra(t.Context(), "x.space", "name", func([]byte) ([]byte, error) { return value, nil }); err != nil {
			t.Fatal(err)
		}
		clear(value)
		for range 3 {
			got, err := alice.Extra(t.Context(), "x.space", "name")
			if err != nil || string(got) != "value" {
				t.Errorf("policy %v: the extra record is %q, %v", policy, got, err)
			}
			clear(got)
		}
	}
}
