package sqlitekv

import (
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// Option changes how a store is opened. Processes that share a store may use
// different options; of two numbers of commit IDs to keep the smaller counts.
type Option func(*settings)

type settings struct {
	logger    *slog.Logger
	wait      time.Duration
	commitIDs int
	watchLog  int
	timer     turns.After
	lostTail  bool
	home      *home    // nil for files that are only read
	readers   *readers // likewise
	damage    *explainer
	softLog   int      // bytes of the log from which on it goes to the database
	maxPages  int      // of the database file, 0: as many as there is room for
	vfs       string   // through which SQLite uses files
	unproven  []string // versions that the caller goes on with
}

const (
	defaultWait = 5 * time.Second
	// defaultWatchLog is how many commits a watcher may be behind: with Pawl's
	// keys about 1 MB in the file.
	defaultWatchLog = 4096
)

func defaults() settings {
	return settings{
		logger: slog.New(slog.DiscardHandler), wait: defaultWait,
		commitIDs: kv.EmbeddedCommitIDs, watchLog: defaultWatchLog, timer: turns.RealTime, vfs: wholePages, softLog: softLog,
	}
}

// WithLogger makes the store write to a logger. Without it it is silent.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) { s.logger = logger }
}

// WithWait sets how long a call waits for other processes, which may be stopped
// while they hold a lock, before it returns kv.ErrUnavailable (5 s).
func WithWait(d time.Duration) Option {
	return func(s *settings) { s.wait = d }
}

// WithCommitIDs keeps at least the newest n commit IDs instead of kv.EmbeddedCommitIDs.
func WithCommitIDs(n int) Option {
	return func(s *settings) { s.commitIDs = max(n, 1) }
}

// WithWatchLog lets watchers fall n commits behind before they must resync.
func WithWatchLog(n int) Option {
	return func(s *settings) { s.watchLog = max(n, 1) }
}

// WithLostTail opens a store whose newest commits are missing, which is
// kv.ErrCorrupt otherwise. Steps that they held were taken, and must not be taken
// again in another way: the caller asks [Store.LostTail] and deals with that
// before it goes on. From its first synced commit on the store is as it is, for
// everybody.
func WithLostTail() Option {
	return func(s *settings) { s.lostTail = true }
}

// VFS is the name of the VFS that stores use their files through.
const VFS = wholePages

// WithVFS makes SQLite use its files through a VFS of this name, registered with
// the driver: one that counts what is done to them, say. It must lock, sync and
// share memory as the system's does; the files of the store itself are not
// opened through it. It should do so by way of the VFS of the name [VFS]: a
// database that was cut is otherwise read as SQLite reads it.
func WithVFS(name string) Option {
	return func(s *settings) { s.vfs = name }
}

// WithTimer ends turns by another clock than the system's: after calls f when d
// has passed, unless stop is called before, which reports whether it came in
// time.
func WithTimer(after func(d time.Duration, f func()) (stop func() bool)) Option {
	return func(s *settings) { s.timer = after }
}
