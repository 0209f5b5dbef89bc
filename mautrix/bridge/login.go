package pawlbridge

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/beeperstream"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	pawlmautrix "github.com/pawlkv/pawl/mautrix"
)

// start logs the bridge's bot in as its device. What it returns is to be stopped, also
// after an error.
func (c *bridgeCrypto) start(ctx context.Context) (run *running, err error) {
	cfg := c.bridge.Config.Encryption
	bot := c.bridge.AS.BotMXID()
	run = &running{client: c.bridge.AS.NewMautrixClient(bot), missed: newCatchUp()}
	run.ctx, run.cancel = context.WithCancel(context.Background())
	run.client.Log = c.log
	run.client.StateStore = &people{c.bridge.StateStore, c.bridge.Bridge.IsGhostMXID}
	run.client.Syncer = c.syncer()
	if run.helper, err = pawlmautrix.NewCryptoHelper(run.client, []byte(cfg.PickleKey), c.store); err != nil {
		return run, err
	}
	run.helper.MSC4190 = cfg.MSC4190
	run.helper.LoginAs = &mautrix.ReqLogin{
		Type:                     mautrix.AuthTypeAppservice,
		Identifier:               mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: string(bot)},
		InitialDeviceDisplayName: fmt.Sprintf("%s bridge", c.bridge.Bridge.Network.GetName().DisplayName),
	}
	run.helper.KeyShare = c.keyShare
	run.helper.KeepExpiry = cfg.DeleteKeys.PeriodicallyDeleteExpired || cfg.DeleteKeys.DeleteOutdatedInbound
	if run.streams, err = beeperstream.New(run.client); err != nil {
		return run, err
	}
	if !cfg.MSC4190 {
		flows, err := run.client.GetLoginFlows(ctx)
		if err != nil {
			return run, fmt.Errorf("failed to ask how to log in: %w", err)
		}
		if !flows.HasFlow(mautrix.AuthTypeAppservice) {
			return run, ErrNoLogin
		}
	}
	if err := run.helper.Init(ctx); err != nil {
		return run, err
	}
	return run, c.configure(ctx, run)
}

// syncer is one that gets to-device events, and nothing of rooms: that comes in
// transactions.
func (c *bridgeCrypto) syncer() *mautrix.DefaultSyncer {
	s := mautrix.NewDefaultSyncer()
	nothing := &mautrix.FilterPart{NotTypes: []event.Type{{Type: "*"}}}
	s.FilterJSON = &mautrix.Filter{
		Presence: nothing, AccountData: nothing,
		Room: &mautrix.RoomFilter{Ephemeral: nothing, AccountData: nothing, State: nothing, Timeline: nothing},
	}
	s.OnSync(func(_ context.Context, r *mautrix.RespSync, _ string) bool {
		r.Rooms = mautrix.RespSyncRooms{}
		return true
	})
	return s
}

// leave logs a device out that was given up.
func (c *bridgeCrypto) leave(ctx context.Context, run *running) {
	var err error
	if c.bridge.Config.Encryption.MSC4190 {
		err = run.client.DeleteDevice(ctx, run.client.DeviceID, &mautrix.ReqDeleteDevice[any]{})
	} else {
		_, err = run.client.LogoutAll(ctx)
	}
	if err != nil {
		c.log.Warn().Err(err).Stringer("device_id", run.client.DeviceID).Msg("Failed to log the device out that was given up")
	}
}

// Reset implements matrix.Crypto: the device is given up for a new one, which keeps the
// room keys that were received. Where it ends between the two, Reset again goes on.
func (c *bridgeCrypto) Reset(ctx context.Context, startAfterReset bool) error {
	c.resetting.Lock()
	defer c.resetting.Unlock()
	switch run := c.running(); {
	case run != nil:
		c.log.Info().Msg("The device is given up for a new one")
		if err := run.helper.GiveUp(ctx); err != nil {
			return fmt.Errorf("failed to give the device up: %w", err)
		}
		c.givenUp = true
		if err := c.stop(); err != nil {
			return err
		}
		c.leave(ctx, run)
	case !c.givenUp:
		return pawlmautrix.ErrNotReady
	}
	if err := c.init(ctx, false); err != nil {
		return fmt.Errorf("failed to start as a new device (it can be tried again): %w", err)
	}
	if startAfterReset {
		go c.Start()
	}
	return nil
}

// Client implements matrix.Crypto; nil: it does not run.
func (c *bridgeCrypto) Client() *mautrix.Client {
	if run := c.running(); run != nil {
		return run.client
	}
	return nil
}

// people is the bridge's StateStore without ghosts: they have no devices.
type people struct {
	*stateStore
	isGhost func(id.UserID) bool
}

// HasNoDevices reports whether nobody need be asked for a user's devices.
func (p *people) HasNoDevices(user id.UserID) bool { return p.isGhost(user) }

// GetRoomJoinedOrInvitedMembers implements mautrix.StateStore.
func (p *people) GetRoomJoinedOrInvitedMembers(ctx context.Context, room id.RoomID) (left []id.UserID, err error) {
	all, err := p.stateStore.GetRoomJoinedOrInvitedMembers(ctx, room)
	for _, u := range all {
		if !p.isGhost(u) {
			left = append(left, u)
		}
	}
	return left, err
}
