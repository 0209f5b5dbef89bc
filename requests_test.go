package pawl_test

import (
	"errors"
	"testing"

	"github.com/pawlkv/pawl"
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
