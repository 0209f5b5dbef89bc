package pawlbridge

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/crypto"
)

// overwrite in place of a recovery key has new cross-signing keys made.
const overwrite = "overwrite"

// ErrSelfSign: the bot's device was not signed. It is also a matrix.ExitError with
// mautrix-go's code.
var ErrSelfSign = errors.New("pawlbridge: the bot's device cannot be signed")

// selfSign signs the device with the bot's cross-signing keys, if the configuration says
// so, which are made at first. Their recovery key is in kv_store of the bridge's database.
func (c *bridgeCrypto) selfSign(ctx context.Context, olm *crypto.OlmMachine) error {
	if !c.bridge.Config.Encryption.SelfSign {
		return nil
	}
	if err := c.sign(ctx, olm); err != nil {
		return fmt.Errorf("%w: %w: %w", ErrSelfSign, err, matrix.ExitError{ExitCode: 34})
	}
	return nil
}

func (c *bridgeCrypto) sign(ctx context.Context, olm *crypto.OlmMachine) error {
	has, signed, err := olm.GetOwnVerificationStatus(ctx)
	if err != nil {
		return fmt.Errorf("failed to look up whether it is: %w", err)
	}
	master, _, _, err := olm.GetOwnCrossSigningVerificationStatus(ctx)
	if err != nil {
		return fmt.Errorf("failed to look up its cross-signing keys: %w", err)
	}
	kept := c.bridge.Bridge.DB.KV
	key := kept.Get(ctx, database.KeyRecoveryKey)
	switch {
	case has && key != overwrite && signed && master:
		return nil
	case has && key == "":
		return errors.New("the homeserver has cross-signing keys, and the database no recovery key: put recovery_key into kv_store, or \"overwrite\" to have new keys made")
	case has && key != overwrite:
		if err := olm.VerifyWithRecoveryKey(ctx, key); err != nil {
			return fmt.Errorf("failed with the recovery key in kv_store: %w", err)
		}
		c.log.Info().Msg("Signed the bot's device with the recovery key")
		return nil
	case key != "" && key != overwrite:
		return errors.New("the homeserver has no cross-signing keys, and the database has a recovery key: delete recovery_key from kv_store")
	}
	made, err := olm.GenerateAndVerifyWithRecoveryKey(ctx)
	if made != "" {
		kept.Set(ctx, database.KeyRecoveryKey, made)
	}
	if err != nil {
		return fmt.Errorf("failed to make cross-signing keys: %w", err)
	}
	c.log.Info().Msg("Made cross-signing keys and signed the bot's device")
	return nil
}
