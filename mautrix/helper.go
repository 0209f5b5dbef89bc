package pawlmautrix

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
)

// CryptoHelper encrypts and decrypts for a client of mautrix-go, in place of
// cryptohelper.CryptoHelper. Its fields are set before Init. Its methods may be called
// from any number of goroutines.
type CryptoHelper struct {
	// LoginAs logs the client in at Init, as the device that the store has of this user,
	// or as a new one.
	LoginAs *mautrix.ReqLogin
	// MSC4190 makes the device of an application service's user without a login. LoginAs
	// gives its display name.
	MSC4190 bool
	// DBAccountID chooses among several devices of the user that are in the store, by
	// the device id. It is not needed where there is one.
	DBAccountID string

	// DecryptErrorCallback is told which event could not be read, and why.
	DecryptErrorCallback func(*event.Event, error)
	// CustomPostDecrypt gets what was decrypted, in place of the listeners.
	CustomPostDecrypt func(context.Context, *event.Event)
	// ASEventProcessor is that of an application service, whose listeners get what was
	// decrypted. Where the client has no Syncer that lists listeners (AppService makes it
	// so), the helper gets from it what transactions bring, as mautrix-go's does: after
	// they were answered, and without what mautrix-go drops. A program that has
	// ReceiveTransaction called before they are answered loses nothing.
	ASEventProcessor crypto.ASEventProcessor
	// KeyShare decides which devices of other users are given a room key that they ask
	// for. nil: those that were given it before, as Pawl has it.
	KeyShare KeyShare
	// KeepExpiry has it stored of each room key when it came, and how long its room uses
	// one, so that RedactExpiredGroupSessions of mautrix-go's machine's CryptoStore, and
	// ExpiredKeyDeleteLoop, delete those that Pawl has received. Outdated are then those
	// of which nothing is stored. It takes a commit for each key.
	KeepExpiry bool

	client     *mautrix.Client
	log        zerolog.Logger
	passphrase []byte
	place      place
	given      *pawl.Store // by the caller, who closes it

	life context.Context // until Close
	end  context.CancelFunc

	turn    sync.Mutex // Init, Close and GiveUp, one at a time
	began   bool       // Init was called
	engine  kv.Store
	account *pawl.Machine // nil before Init has found or made it

	mu      sync.Mutex    // held for a moment, so that nobody waits for Init
	machine *pawl.Machine // nil before Init has succeeded
	olm     *crypto.OlmMachine
	keys    *Store      // olm's
	state   *stateStore // nil: the client had a StateStore of its own
	sender  *sender

	receiver  *receiver
	receiving sync.Mutex // a transaction
	earlier   earlier    // of transactions

	shared   sync.Map // of rooms whose keys were shared since Init: under what
	asked    sync.Map // of senders whose devices were asked for
	fetched  sync.Map // of rooms whose members the server told since Init
	watching atomic.Bool
	closed   atomic.Bool
}

var _ mautrix.CryptoHelper = (*CryptoHelper)(nil)

// Errors of making and using a helper.
var (
	// ErrStore: NewCryptoHelper was given something that it cannot keep an account in.
	ErrStore = errors.New("pawlmautrix: give a path, or an open *pawl.Store")
	// ErrMautrixDatabase: the path is a database of mautrix-go. It was not changed.
	ErrMautrixDatabase = errors.New("pawlmautrix: the file is a database of mautrix-go, and stays as it is: give another path for Pawl's store")
	// ErrClient: the client lacks what a helper needs of it.
	ErrClient = errors.New("pawlmautrix: the client cannot use this helper")
	errNobody = fmt.Errorf("%w: it has no user id or no device id: set them, or LoginAs", ErrClient)
	// ErrNotReady: Init was not called, or has failed.
	ErrNotReady = errors.New("pawlmautrix: Init was not called")
	// ErrMembers: neither the StateStore nor the server knows anybody in the room, so that
	// nobody would be given its key: is the client in it?
	ErrMembers = errors.New("pawlmautrix: nobody is known to be in the room, not even this client: is it in it?")
	// ErrDevice: the client, the store and the server do not agree on the device.
	ErrDevice = errors.New("pawlmautrix: not the device")
	// ErrKeysGone is an ErrDevice: the device's keys were published, and the server has none
	// any more, as after a logout.
	ErrKeysGone = errors.New("pawlmautrix: its keys were published, and the server has none")
)

// NewCryptoHelper takes what cryptohelper.NewCryptoHelper takes in its place: a path
// (of a directory, for a store in Badger, or "sqlite:FILE"), which is opened under the
// passphrase pickleKey by Init and closed by Close; or an open *pawl.Store, with which
// the passphrase is not used and which the caller closes. An empty passphrase is an error
// with either, as in mautrix-go. Any number of clients may use
// one store, and any number of processes one path.
//
// If the client has no StateStore it gets one of mautrix-go's, in a file beside the
// path. It fails with ErrStore, ErrMautrixDatabase or ErrClient, and changes nothing
// then.
func NewCryptoHelper(client *mautrix.Client, pickleKey []byte, store any) (*CryptoHelper, error) {
	if client == nil {
		return nil, fmt.Errorf("%w: it is nil", ErrClient)
	}
	h := &CryptoHelper{
		client: client, log: client.Log.With().Str("component", "crypto").Logger(), passphrase: pickleKey,
		DecryptErrorCallback: func(*event.Event, error) {},
	}
	h.life, h.end = context.WithCancel(context.Background())
	if err := h.checkClient(); err != nil {
		return nil, err
	}
	if len(pickleKey) == 0 {
		return nil, fmt.Errorf("%w: the pickle key is empty: it is the passphrase of a store at a path", ErrStore)
	}
	switch s := store.(type) {
	case string:
		var err error
		h.place, err = placeOf(s)
		return h, err
	case *pawl.Store:
		if s == nil {
			return nil, fmt.Errorf("%w: the store is nil", ErrStore)
		}
		if client.StateStore == nil {
			return nil, fmt.Errorf("%w: with an open store it needs a StateStore", ErrClient)
		}
		h.given = s
		return h, nil
	case crypto.Store:
		return nil, fmt.Errorf("%w: %T is a store of mautrix-go's own keys", ErrStore, store)
	}
	return nil, fmt.Errorf("%w: not %T", ErrStore, store)
}

func (h *CryptoHelper) checkClient() error {
	if _, ok := h.client.Syncer.(mautrix.ExtensibleSyncer); !ok && !h.client.SetAppServiceDeviceID {
		return fmt.Errorf("%w: its Syncer (%T) has no OnSync: see mautrix.ExtensibleSyncer", ErrClient, h.client.Syncer)
	}
	if _, ok := h.client.StateStore.(crypto.StateStore); !ok && h.client.StateStore != nil {
		return fmt.Errorf("%w: its StateStore (%T) does not know of encryption: see crypto.StateStore", ErrClient, h.client.StateStore)
	}
	switch h.client.Store.(type) {
	case nil, *mautrix.MemorySyncStore:
		return nil
	case *syncStore:
		return fmt.Errorf("%w: it has another helper", ErrClient)
	}
	return fmt.Errorf("%w: its Store (%T) keeps the token of syncs; Pawl stores it together with what it covers: leave Store as it was", ErrClient, h.client.Store)
}

// Init opens the store and the account, logs in if LoginAs says so, publishes the
// device's keys and has the client's syncs and state go through this helper. Call it
// once. It fails with ErrDevice if the client's device is another one than the store's,
// or if the server has other keys for it; with ErrClient; and with errors of package
// pawl and of the client. Close it also after an error.
func (h *CryptoHelper) Init(ctx context.Context) error {
	if h == nil {
		return ErrNotReady
	}
	h.turn.Lock()
	defer h.turn.Unlock()
	return h.underWay(ctx, h.init)
}

func (h *CryptoHelper) init(ctx context.Context) error {
	if h.began {
		return fmt.Errorf("%w: Init was called before", ErrClient)
	}
	if err := h.checkClient(); err != nil { // it may have changed since
		return err
	}
	if h.LoginAs == nil && !h.MSC4190 && (h.client.UserID == "" || h.client.DeviceID == "") {
		return errNobody
	}
	h.began = true
	store, err := h.open(ctx)
	if err != nil {
		return err
	}
	m, err := h.device(ctx, store)
	if err != nil {
		return err
	}
	h.account = m
	if err := h.keepState(ctx, m); err != nil {
		return err
	}
	h.sender = newSender(h.client, m, h.log)
	if err := h.publish(ctx, m); err != nil {
		return err
	}
	olm, err := h.newOlm(ctx, NewStore(m))
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.olm = olm
	h.listen(m)
	h.machine = m
	h.sender.start()
	return nil
}

// Close ends what the helper does by itself, and closes the store if the helper has
// opened it. Syncing ends without committing anything more: with the response that the
// client waits for then, if its context does not end it. What is under way ends with
// kv.ErrClosed or another error of kv, Init too, and what is called later with kv.ErrClosed.
func (h *CryptoHelper) Close() error {
	if h == nil {
		return nil
	}
	h.closed.Store(true)
	h.end()
	h.turn.Lock()
	defer h.turn.Unlock()
	var errs []error
	if h.sender != nil {
		h.sender.stop()
	}
	if h.olm != nil {
		h.olm.Destroy()
	}
	if h.state != nil {
		errs = append(errs, h.state.close())
	}
	if h.engine != nil {
		errs = append(errs, h.engine.Close())
	}
	return errors.Join(errs...)
}

// ready returns the machine once Init has made it.
func (h *CryptoHelper) ready() (*pawl.Machine, error) {
	if h == nil {
		return nil, ErrNotReady
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.machine == nil {
		return nil, ErrNotReady
	}
	return h.machine, h.isOpen()
}

// call does something with the machine, until the helper is closed.
func (h *CryptoHelper) call(ctx context.Context, do func(context.Context, *pawl.Machine) error) error {
	m, err := h.ready()
	if err != nil {
		return err
	}
	return h.underWay(ctx, func(ctx context.Context) error { return do(ctx, m) })
}

// underWay does something whose context ends with the helper: a store that others have
// opened, and the server, go on.
func (h *CryptoHelper) underWay(ctx context.Context, do func(context.Context) error) error {
	if err := h.isOpen(); err != nil {
		return err
	}
	ends, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.life, cancel)()
	err := do(ends)
	if closed := h.isOpen(); err != nil && closed != nil && ctx.Err() == nil && !errors.Is(err, kv.ErrClosed) {
		return fmt.Errorf("%w: %w", closed, err)
	}
	return err
}

// isOpen fails once Close was called.
func (h *CryptoHelper) isOpen() error {
	if h.closed.Load() {
		return fmt.Errorf("pawlmautrix: the helper is closed: %w", kv.ErrClosed)
	}
	return nil
}
