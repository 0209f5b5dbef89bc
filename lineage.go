package pawl

import (
	"context"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/lineage"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

// NeedsRecovery returns why the account must be recovered before it sends
// again, and whether it must.
func (m *Machine) NeedsRecovery(ctx context.Context) (account.Recovery, bool, error) {
	return lineage.NeedsRecovery(ctx, m.account)
}

// Recovered counts what Recover gave up.
type Recovered struct {
	Sessions    int `json:"sessions"`      // only receive from now on
	OneTimeKeys int `json:"one_time_keys"` // will not be offered any more
	// Damaged counts records that were passed over; see [Machine.Check].
	Damaged int `json:"damaged,omitempty"`
}

// Recover makes the account fit to send after its store went back in time, so
// that nothing it sends was made with a key that the lost time used:
//
//   - No session there is sends any more, nor, in an account of format 2, one that
//     a key of ours from before opens later. All go on receiving. To write to a
//     peer again, claim one of its one-time keys.
//   - Key ids jump ahead, the one-time keys that were not published are never
//     offered, and the next upload has a new fallback key. Upload keys next.
//
// What the lost time received is lost: sessions that peers opened with one-time
// keys made in it cannot be read.
//
// It is also for an account that does not need it, when somebody knows that the
// store is older than it looks. Meanwhile, and when it is interrupted, the
// account does not send; call it again. A session that is damaged cannot send:
// it is passed over and counted. It fails with account.ErrRetired,
// otk.ErrExhausted, or kv.ErrCorrupt if the account's own record is damaged or
// which keys it has is not known.
func (m *Machine) Recover(ctx context.Context) (Recovered, error) {
	done, err := lineage.Recover(ctx, m.account, records.Kinds())
	return Recovered(done), err
}

// Copy is what a store was copied from.
type Copy struct{ source kv.ScanRead }

// CopyTo makes another engine's store, which is empty or was copied to before,
// hold what this one does, and compares them entry by entry. What is sealed stays
// sealed. The copy cannot be opened until CompleteCopy. step, if not nil, is
// called twice for each of total entries. Retire with the result says whether
// the store has changed meanwhile.
//
// Errors: ErrNotEmpty (the other one is a store), copykv.ErrDiffers, those of kv,
// and kv.ErrConflict if a view was lost, when CopyTo may be called again.
func (s *Store) CopyTo(ctx context.Context, to kv.Store, step func(total int)) (Copy, error) {
	source, err := lineage.Copy(ctx, s.store, to, step)
	return Copy{source}, err
}

// Retire marks all accounts as moved to what to names, now, in one commit, which
// succeeds only if the store still holds what was copied. From then on they only
// inspect; accounts that were retired before stay so, to where they were.
//
// The commit cannot be split: between two parts somebody could write what the
// copy lacks. So it checks every entry, and where the store has more of them
// than the engine checks at once (kv.Limits) the error is kv.ErrTooLarge and
// nothing was retired. Other errors: ErrMovedOn, ErrNothingToMove.
func (s *Store) Retire(ctx context.Context, c Copy, to account.Retirement) error {
	return lineage.Retire(ctx, s.store, c.source, to)
}

// Retirements returns where the accounts of the store were moved, and how many
// were not. Where the records of some are damaged the error is a kv.ErrCorrupt,
// and what is known of the others is returned with it.
func (s *Store) Retirements(ctx context.Context) (moved []account.Retirement, active int, err error) {
	return lineage.Retirements(ctx, s.store)
}

// CompleteCopy makes a copy a store: it opens with the passphrase or key that
// this one opens with now, and its witness has its mark, in a later generation
// than this store's. The witness is w, or if that is nil the one that the other
// engine keeps; give one where the copy is renamed afterwards and its witness
// does not go along. Call it when this store's accounts are retired, and again if
// it was interrupted.
//
// It fails with ErrNotRetired, or with copykv.ErrDiffers if the copy is not what
// the accounts were retired for; then nothing is completed.
func (s *Store) CompleteCopy(ctx context.Context, to kv.Store, w witness.Witness) error {
	if w == nil {
		w = witness.Of(to)
	}
	return lineage.CompleteCopy(ctx, s.store, to, w)
}
