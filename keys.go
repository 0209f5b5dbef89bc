package pawl

import (
	"context"
	"encoding/json"

	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/otk"
)

// MaxUploadKeys is how many one-time keys one upload may carry. Servers are
// kept at 50; the rest is room for a caller that tops up several at once.
const MaxUploadKeys = keys.MaxUpload

// Upload is a body for POST /_matrix/client/v3/keys/upload, and what is in it.
type Upload struct {
	// Body is complete and signed: device_keys, one_time_keys, fallback_keys.
	Body json.RawMessage
	// OneTimeKeys are in Body and offered now: no other Upload will have them.
	OneTimeKeys []otk.ID
	// Fallback is the fallback key in Body.
	Fallback otk.ID
	// Evicted are one-time keys that were dropped to stay within otk.MaxKeys:
	// those with the lowest ids, and none that was in a body within otk.KeyRest
	// while an older one is kept. A message that a peer encrypts with one of them
	// cannot be read.
	Evicted []otk.ID
}

// KeysForUpload returns an upload body with n one-time keys, making those that
// are missing, and with the fallback key, which is replaced a week after it was
// published, and after a recovery. It commits that the keys are offered before it
// returns: call it only to send the body. Afterwards call MarkPublished or
// Abandon.
//
// It takes one commit, or more where the engine takes fewer keys in one
// (kv.Limits: 48 at the least). When a later one fails, the keys of those before
// stay offered, and Outstanding has them.
//
// It fails with ErrOneTimeKeyCount, account.ErrRetired, ErrNeedsRecovery or
// otk.ErrExhausted.
func (m *Machine) KeysForUpload(ctx context.Context, n int) (Upload, error) {
	u, err := keys.Offer(ctx, m.account, n)
	return Upload(u), err
}

// Outstanding returns what was offered and whose outcome was never told: the
// one-time keys at that stage, and the fallback key, without a body. It is for
// a caller that lost its Upload, and goes to MarkPublished or Abandon.
func (m *Machine) Outstanding(ctx context.Context) (Upload, error) {
	u, err := keys.Outstanding(ctx, m.account)
	return Upload(u), err
}

// MarkPublished records that the server took an upload. It fails with
// otk.ErrStage for a key that was abandoned, by Recover too, and
// otk.ErrUnknownID.
func (m *Machine) MarkPublished(ctx context.Context, u Upload) error {
	return keys.MarkPublished(ctx, m.account, keys.Upload(u))
}

// Abandon records that nobody knows whether an upload reached the server. Its
// one-time keys keep their private parts and are never offered again, and its
// fallback key, if it was replaced, counts as not replaced until a newer one is
// published once more. It fails with otk.ErrStage for a key that was published,
// and otk.ErrUnknownID.
func (m *Machine) Abandon(ctx context.Context, u Upload) error {
	return keys.Abandon(ctx, m.account, keys.Upload(u))
}
