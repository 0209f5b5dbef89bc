package pawl

import (
	"context"
	"time"

	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
)

// Swept counts what Sweep did.
type Swept struct {
	Erased      int `json:"erased"`              // receipts that expired: their messages' keys
	Receipts    int `json:"receipts"`            // deleted
	Sessions    int `json:"sessions"`            // tombstones and marks of pruned and forgotten sessions
	Strangers   int `json:"strangers,omitempty"` // peers, with their sessions
	OneTimeKeys int `json:"one_time_keys"`       // tombstones of used keys
	// Damaged counts records that were passed over; see [Machine.Check].
	Damaged int `json:"damaged,omitempty"`
	// FallbackKeys are those that were dropped: a newer one was published
	// otk.FallbackLife ago.
	FallbackKeys int `json:"fallback_keys"`
}

// Sweep erases and deletes what is no longer needed at a time: the message keys
// of receipts that have expired; receipts that are older than
// session.ReceiptMemory; tombstones of sessions that were pruned more than
// session.ReceiptLife ago and cannot be opened again; tombstones of one-time keys
// whose session is gone; fallback keys of which a newer one was published more
// than otk.FallbackLife ago; strangers, the longest silent first: all that were
// silent for session.StrangerMemory, and of those that were silent for
// session.StrangerSilence as many as have more than session.MaxSilentSessions
// sessions together; and what they left once their key is gone. A stranger is a
// peer of an account of format 2 that came by a fallback key and that was never
// written to. Nothing in the store expires by itself, so that a clock that jumps
// destroys nothing.
//
// now must be right: what other clocks have told wrong is put right by it, so
// that everything lives its whole life from the first time on that was right, and
// no longer. A time too late erases what it says is old, for good: message keys,
// so that their messages are answered with ErrAlreadyProcessed, and later
// receipts, so that they fail; strangers; fallback keys, so that first messages
// under them are lost. It never lets a message be processed twice. The next sweep
// at a right time goes on as if it had not been.
//
// It takes as many commits as the engine needs, each of which looks again at
// what it deletes. The secrets leave the files when the engine compacts. What is
// damaged is passed over and counted, with all that depends on it.
func (m *Machine) Sweep(ctx context.Context, now time.Time) (Swept, error) {
	done, err := upkeep.Sweep(ctx, m.account, records.Kinds(), now)
	return Swept(done), err
}
