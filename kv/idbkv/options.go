//go:build js

package idbkv

import (
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// Option changes how a store is opened. Tabs that share a store may use different
// options; of two numbers of commit IDs to keep the smaller counts.
type Option func(*settings)

type settings struct {
	logger    *slog.Logger
	wait      time.Duration
	work      time.Duration // how long the browser may take for a commit that others do not hold up
	commitIDs int
	watchLog  int
	timer     turns.After
	pass      time.Duration // how long after it was granted a turn is passed on
	unsynced  bool
	layout    int       // version of the database
	format    kv.Format // the newest that this program reads
}

const (
	defaultWait = 5 * time.Second
	// defaultWork is what a slow disk may need. Callers who do not wait so long have a context.
	defaultWork = time.Minute
	// defaultWatchLog is how many commits a watcher or a view may be behind.
	defaultWatchLog = 4096
	// layout is the database's own version. It changes only with its object stores.
	layout = 1
)

func newSettings(options []Option) settings {
	set := settings{
		logger: slog.New(slog.DiscardHandler), wait: defaultWait, work: defaultWork, commitIDs: kv.EmbeddedCommitIDs,
		watchLog: defaultWatchLog, timer: turns.RealTime, pass: passWithin, layout: layout, format: kv.NewestFormat,
	}
	for _, option := range options {
		option(&set)
	}
	return set
}

// WithLogger makes the store write to a logger. Without it it is silent.
func WithLogger(logger *slog.Logger) Option { return func(s *settings) { s.logger = logger } }

// WithWait sets how long a call waits for other tabs, which may be frozen in the middle
// of a transaction, before it returns kv.ErrUnavailable, and how long Open waits before it
// returns kv.ErrInUse (5 s). The timers of a hidden page may be a minute late.
func WithWait(d time.Duration) Option { return func(s *settings) { s.wait = d } }

// WithCommitIDs keeps at least the newest n commit IDs instead of kv.EmbeddedCommitIDs.
func WithCommitIDs(n int) Option { return func(s *settings) { s.commitIDs = max(n, 1) } }

// WithWatchLog lets watchers and views fall n commits behind: watchers must resync then,
// and views look at all that they have returned again.
func WithWatchLog(n int) Option { return func(s *settings) { s.watchLog = max(n, 1) } }

// WithTimer ends turns by another clock than the system's: after calls f when d has
// passed, unless stop is called before, which reports whether it came in time.
func WithTimer(after func(d time.Duration, f func()) (stop func() bool)) Option {
	return func(s *settings) { s.timer = after }
}

// WithoutSync opens a store also where the browser does not say that its commits are
// durable. What is given up: after a power failure, or the end of the system, commits that
// were acknowledged may be missing, so that message keys are used twice.
func WithoutSync() Option { return func(s *settings) { s.unsynced = true } }
