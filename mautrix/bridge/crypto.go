package pawlbridge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/beeperstream"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"

	pawlmautrix "github.com/pawlkv/pawl/mautrix"
)

// bridgeCrypto is the encryption of a bridge on bridgev2.
type bridgeCrypto struct {
	bridge *matrix.Connector
	store  any
	log    zerolog.Logger

	resetting sync.Mutex // Init, Reset and Stop, one at a time
	givenUp   bool       // a Reset has given the device up, and no new one runs yet
	mu        sync.Mutex
	now       *running      // nil: not running
	began     chan struct{} // closed when it runs
}

// running is what there is between Init and Stop.
type running struct {
	client  *mautrix.Client
	helper  *pawlmautrix.CryptoHelper
	streams *beeperstream.Helper
	missed  *catchUp        // what transactions may leave out
	ctx     context.Context // until Stop
	cancel  context.CancelFunc
	ended   sync.WaitGroup // what goes on by itself
}

var _ matrix.Crypto = (*bridgeCrypto)(nil)

// Errors of a bridge that cannot start.
var (
	// ErrWebsocket: transactions would come over a websocket, where they cannot be
	// committed before they are answered.
	ErrWebsocket = errors.New("pawlbridge: with encryption.appservice, homeserver.websocket must be off: transactions over it cannot be stored before they are answered")
	// ErrRuns: Init was called before, and Stop was not.
	ErrRuns = errors.New("pawlbridge: encryption runs already: call Stop before Init")
	// ErrNoLogin: the homeserver lets no application service log in.
	ErrNoLogin = errors.New("pawlbridge: the homeserver does not let application services log in: set encryption.msc4190, and io.element.msc4190 in the registration")
)

// Without cgo these are others than those that mautrix-go's own packages return, and a
// bridge would not wait for room keys.
func init() {
	matrix.NoSessionFound = crypto.ErrNoSessionFound
	matrix.DuplicateMessageIndex = crypto.ErrDuplicateMessageIndex
	matrix.UnknownMessageIndex = olm.ErrUnknownMessageIndex
}

// NewBridgeCrypto makes Pawl the encryption of a bridge, in place of mautrix-go's own:
//
//	br.PostInit = func() {
//		br.Matrix.Crypto = pawlbridge.NewBridgeCrypto(br.Matrix, "bridge.pawl")
//	}
//
// The store is what pawlmautrix.NewCryptoHelper takes: a path, which is opened under
// encryption.pickle_key as its passphrase, or an open *pawl.Store. What is wrong with it
// Init says.
//
// It takes in transactions before they are answered (see CommitTransactions). It returns
// nil if encryption.allow is off, as mautrix-go's own does.
func NewBridgeCrypto(br *matrix.Connector, store any) matrix.Crypto {
	log := br.Log.With().Str("component", "crypto").Logger()
	if !br.Config.Encryption.Allow {
		log.Debug().Msg("Encryption is off in the configuration")
		return nil
	}
	c := &bridgeCrypto{bridge: br, store: store, log: log, began: make(chan struct{})}
	br.AS.Middleware = append(br.AS.Middleware, commit(br.AS, c.transaction))
	br.EventProcessor.On(event.StateEncryption, c.roomChanged)
	br.EventProcessor.On(event.StateHistoryVisibility, c.roomChanged)
	return c
}

// Init implements matrix.Crypto: it opens the store, logs the bridge's bot in and publishes
// its keys. A device that the homeserver has no keys of any more is given up for a new one.
func (c *bridgeCrypto) Init(ctx context.Context) error {
	c.resetting.Lock()
	defer c.resetting.Unlock()
	if c.running() != nil {
		return ErrRuns
	}
	err := c.init(ctx, true)
	if err != nil {
		c.log.WithLevel(zerolog.FatalLevel).Err(err).Msg("Failed to start encryption")
	}
	return err
}

func (c *bridgeCrypto) init(ctx context.Context, again bool) error {
	cfg := c.bridge.Config
	if cfg.Encryption.Appservice && (cfg.Homeserver.Websocket || cfg.Homeserver.WSProxy != "") {
		return ErrWebsocket
	}
	run, err := c.start(ctx)
	if errors.Is(err, pawlmautrix.ErrKeysGone) && again {
		c.log.Warn().Err(err).Msg("The homeserver has no keys of the device any more: it is given up for a new one")
		if err = errors.Join(run.helper.GiveUp(ctx), run.stop()); err != nil {
			return err
		}
		c.leave(ctx, run)
		return c.init(ctx, false)
	}
	if err != nil {
		return errors.Join(err, run.stop())
	}
	if err := c.selfSign(ctx, run.helper.Machine()); err != nil {
		return errors.Join(err, run.stop())
	}
	if err := c.listen(run); err != nil {
		return errors.Join(err, run.stop())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.givenUp = run, false
	close(c.began)
	run.ended.Go(func() { c.resync(run) })
	return nil
}

// Start implements matrix.Crypto: it syncs, where to-device events come in transactions
// only for what those leave out. Like mautrix-go's own it ends the process when the
// homeserver takes its token no more.
func (c *bridgeCrypto) Start() {
	run := c.running()
	if run == nil {
		return
	}
	run.ended.Add(1)
	defer run.ended.Done()
	if c.bridge.Config.Encryption.Appservice {
		c.follow(run)
		return
	}
	c.log.Debug().Msg("Syncing to-device events")
	err := run.client.SyncWithContext(run.ctx)
	switch {
	case run.ctx.Err() != nil:
	case err != nil:
		c.log.WithLevel(zerolog.FatalLevel).Err(err).Msg("Syncing to-device events has ended")
		exit(51)
	default:
		c.log.Error().Msg("Syncing to-device events has ended: no room keys come any more")
	}
}

// exit ends the process, for whoever starts bridges anew.
var exit = os.Exit

// Stop implements matrix.Crypto.
func (c *bridgeCrypto) Stop() {
	c.resetting.Lock()
	defer c.resetting.Unlock()
	c.givenUp = false
	if err := c.stop(); err != nil {
		c.log.Err(err).Msg("Failed to close the store")
	}
}

func (c *bridgeCrypto) stop() error {
	c.mu.Lock()
	run := c.now
	if c.now != nil {
		c.now, c.began = nil, make(chan struct{})
	}
	c.mu.Unlock()
	if run == nil {
		return nil
	}
	return run.stop()
}

// stop ends what goes on by itself.
func (r *running) stop() error {
	if r == nil {
		return nil
	}
	r.cancel()
	r.client.StopSync()
	r.ended.Wait()
	return errors.Join(r.streams.Close(), r.helper.Close())
}

// running is what runs now; nil: nothing does.
func (c *bridgeCrypto) running() *running {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// helper is that which runs now.
func (c *bridgeCrypto) helper() (*pawlmautrix.CryptoHelper, error) {
	if run := c.running(); run != nil {
		return run.helper, nil
	}
	return nil, pawlmautrix.ErrNotReady
}

// transaction takes in a transaction. One that comes before Init has ended waits for that:
// a homeserver that is refused comes back after a while, and later each time.
func (c *bridgeCrypto) transaction(ctx context.Context, name string, body []byte) error {
	c.mu.Lock()
	began := c.began
	c.mu.Unlock()
	select {
	case <-began:
	case <-ctx.Done():
		return fmt.Errorf("encryption has not started yet: %w", ctx.Err())
	}
	run := c.running()
	if run == nil {
		return pawlmautrix.ErrNotReady
	}
	if err := run.helper.ReceiveTransaction(ctx, name, body); err != nil {
		run.missed.late()
		return err
	}
	run.missed.came(name, body, run.client.UserID, run.client.DeviceID)
	return nil
}
