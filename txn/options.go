package txn

import (
	"context"
	"log/slog"
	"time"
)

// Bounds. Those that an Option can change are defaults.
const (
	// turnAfter losses make an attempt queue for its keys: fewer, and two
	// unlucky transactions pay for a queue; more, and the tail grows.
	turnAfter = 3
	// coverAfter losses make it queue for all that it reads: others may have as
	// many keys to make it lose one after the other. Sooner, and transactions
	// that share no more than a key nobody writes would wait for each other.
	coverAfter = turnAfter + 1
	// coverMost is how many keys that are: what a turn costs grows with them. It
	// is twice what a change of a thousand records looks at.
	coverMost = 2048
	// wholeAfter losses make it queue for the whole store: then nothing can make it
	// lose that the others do, whatever it reads. Sooner, and all would wait for
	// what those who share its keys can settle among themselves.
	wholeAfter = coverAfter + 1
	// cachedAttempts is how many attempts may read from the cache.
	cachedAttempts = 2
	// maxAttempts is above what the argument at DB allows.
	maxAttempts = 10_000
	// patience is as long as an engine that is shared waits for one that is silent.
	patience = 5 * time.Second
	// cacheSize is in records; a session is about 1 KB decoded. Fewer are
	// kept where they are larger.
	cacheSize   = 4096
	cachedBytes = 1 << 10 // for each record
	// hotSize is how many contended keys are remembered.
	hotSize = 1024
)

// CachePolicy says where reads may be served from. Both policies are correct.
type CachePolicy int

const (
	// NoCache reads the store each time: one snapshot for each attempt. Of records
	// that are [Record.Steady] it opens and decodes the same bytes once.
	NoCache CachePolicy = iota
	// Validated serves reads from memory and lets the commit's check of
	// versions expose what is stale: it is evicted and fn runs again. Reads
	// may then stem from different moments, so fn must end on any combination;
	// all that it concludes is validated before it is released.
	Validated
)

// Option configures [New].
type Option func(*options)

type options struct {
	sealer      Sealer
	policy      CachePolicy
	cacheSize   int
	maxAttempts int
	patience    time.Duration
	log         *slog.Logger
	observe     func(Report)
	probe       *Probe
	sleep       func(context.Context, time.Duration) error
}

func defaults() options {
	return options{
		cacheSize:   cacheSize,
		maxAttempts: maxAttempts,
		patience:    patience,
		log:         slog.New(slog.DiscardHandler),
		observe:     func(Report) {},
		sleep:       sleep,
	}
}

// WithSealer sets how records are sealed and names are blinded. [Plaintext]
// does neither, for tests.
func WithSealer(s Sealer) Option { return func(o *options) { o.sealer = s } }

// WithCache sets the cache policy; the default is [NoCache].
func WithCache(p CachePolicy) Option { return func(o *options) { o.policy = p } }

// WithCacheSize sets how many records [Validated] keeps, at least 1: fewer where
// they have more than a kilobyte on average.
func WithCacheSize(records int) Option {
	return func(o *options) { o.cacheSize = max(records, 1) }
}

// WithMaxAttempts sets after how many attempts a transaction gives up with a
// [*StarvedError], at least 1.
func WithMaxAttempts(n int) Option {
	return func(o *options) { o.maxAttempts = max(n, 1) }
}

// WithPatience sets for how long a commit of unknown outcome is committed again,
// once at least, before its result is withheld ([*UnknownError]): 5 s unless told.
// Each try ends when the store says so, or with the context.
func WithPatience(d time.Duration) Option {
	return func(o *options) { o.patience = max(d, 0) }
}

// WithLogger sets the logger; the default discards. Logged are keys (blinded),
// kinds, counts and errors of the store; never a value, a name or an error of
// fn. Records carry the context of the call.
func WithLogger(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithObserver sets a function that receives a [Report] for every transaction
// when it ends, before its OnCommit functions run. It is called by the
// goroutine of the transaction and must return soon.
func WithObserver(f func(Report)) Option { return func(o *options) { o.observe = f } }

// WithSleep replaces waiting: f waits for d or until ctx ends, and returns the
// context's error then. The durations are random: a simulation that is to
// repeat itself must let its own schedule decide and not d.
func WithSleep(f func(ctx context.Context, d time.Duration) error) Option {
	return func(o *options) { o.sleep = f }
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
