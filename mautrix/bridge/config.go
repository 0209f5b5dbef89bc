package pawlbridge

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
	"maunium.net/go/mautrix/sqlstatestore"
)

type stateStore = sqlstatestore.SQLStateStore

// configure has mautrix-go's machine, whose fields the helper goes by, do what the
// configuration says.
func (c *bridgeCrypto) configure(ctx context.Context, run *running) error {
	cfg, olm := c.bridge.Config.Encryption, run.helper.Machine()
	olm.SendKeysMinTrust = cfg.VerificationLevels.Receive
	olm.PlaintextMentions = cfg.PlaintextMentions
	olm.MSC4392Relations = cfg.MSC4392
	olm.DisableSharedGroupSessionTracking = true
	olm.DisableDeviceChangeKeyRotation = cfg.Rotation.DisableDeviceChangeKeyRotation
	if cfg.Rotation.DisableDeviceChangeKeyRotation {
		c.log.Warn().Msg("encryption.rotation.disable_device_change_key_rotation: a new device makes no room key change, and one that is gone always does")
	}

	keys := cfg.DeleteKeys
	olm.DeleteOutboundKeysOnAck = keys.DeleteOutboundOnAck
	olm.DontStoreOutboundKeys = keys.DontStoreOutbound
	olm.RatchetKeysOnDecrypt = keys.RatchetOnDecrypt
	olm.DeleteFullyUsedKeysOnDecrypt = keys.DeleteFullyUsedOnDecrypt
	olm.DeletePreviousKeysOnReceive = keys.DeletePrevOnNewSession
	olm.DeleteKeysOnDeviceDelete = keys.DeleteOnDeviceDelete
	if keys.PeriodicallyDeleteExpired {
		run.ended.Go(func() { olm.ExpiredKeyDeleteLoop(run.ctx) })
	}
	if keys.DeleteOutdatedInbound {
		gone, err := olm.CryptoStore.RedactOutdatedGroupSessions(ctx)
		if err != nil {
			return fmt.Errorf("failed to delete outdated room keys: %w", err)
		}
		c.log.Debug().Int("deleted", len(gone)).Msg("Deleted outdated room keys")
	}
	return nil
}

// listen has the events of streams come from wherever to-device events come from.
func (c *bridgeCrypto) listen(run *running) error {
	if !c.bridge.Config.Encryption.Appservice {
		return run.streams.Init()
	}
	c.bridge.AS.Registration.EphemeralEvents = true
	return run.streams.InitAppservice(c.bridge.EventProcessor)
}

// keyShare decides who is given a room key that they ask for.
func (c *bridgeCrypto) keyShare(ctx context.Context, device *id.Device, info event.RequestedKeyInfo) *crypto.KeyShareRejection {
	cfg := c.bridge.Config.Encryption
	run := c.running()
	switch {
	case !cfg.AllowKeySharing || run == nil:
		return &crypto.KeyShareRejectNoResponse
	case device.Trust == id.TrustStateBlacklisted:
		return &crypto.KeyShareRejectBlacklisted
	}
	trust, err := run.helper.Machine().ResolveTrustContext(ctx, device)
	if err != nil {
		c.log.Err(err).Msg("Failed to look up how far a device is trusted that asks for a room key")
		return &crypto.KeyShareRejectNoResponse
	}
	if trust < cfg.VerificationLevels.Share {
		return &crypto.KeyShareRejectUnverified
	}
	portal, err := c.bridge.Bridge.GetPortalByMXID(ctx, info.RoomID)
	switch {
	case err != nil:
		c.log.Err(err).Msg("Failed to look up the room whose key is asked for")
		return &crypto.KeyShareRejectNoResponse
	case portal == nil:
		return &crypto.KeyShareRejection{Code: event.RoomKeyWithheldUnavailable, Reason: "The room is none of the bridge's"}
	}
	user, err := c.bridge.Bridge.GetExistingUserByMXID(ctx, device.UserID)
	switch {
	case err != nil:
		c.log.Err(err).Msg("Failed to look up who asks for a room key")
		return &crypto.KeyShareRejectNoResponse
	case user == nil:
		return &crypto.KeyShareRejectNoResponse
	case !user.Permissions.Admin:
		return &crypto.KeyShareRejection{Code: event.RoomKeyWithheldUnauthorized, Reason: "Only administrators of the bridge are given room keys"}
	}
	return nil
}
