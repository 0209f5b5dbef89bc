package badgerkv

import (
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
)

// Option changes how a store is opened.
type Option func(*settings)

type settings struct {
	name      string // of the directory, as the caller calls it
	logger    *slog.Logger
	reserve   uint64
	commitIDs int
	syncs     *syncs // of this Store, whoever owns Badger in it
	hooks     hooks
	unproven  []string // versions that the caller goes on with
	sharing   []sharekv.Option
}

// hooks let tests watch and break what otherwise only the system does. Nil
// ones do nothing.
type hooks struct {
	sync func(file string, sync func() error) error // around each sync of a log
	free func(dir string) (space, error)            // instead of asking the system
	lock func()                                     // when the directory is locked, before Badger opens
}

// defaultReserve is for what others write to the disk between a look at its
// free space and the next.
const defaultReserve = 16 << 20

func defaults() settings {
	return settings{
		logger: slog.New(slog.DiscardHandler), reserve: defaultReserve, commitIDs: kv.EmbeddedCommitIDs, syncs: &syncs{},
	}
}

// limits is what the store takes and keeps.
func (s *settings) limits() kv.Limits {
	limits := kv.Embedded()
	limits.CommitIDs = s.commitIDs
	return limits
}

// WithLogger makes the store, and Badger in it, write to a logger. Without it
// they are silent.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) {
		s.logger = logger
		s.sharing = append(s.sharing, sharekv.WithLogger(logger))
	}
}

// WithPatience sets how long a call waits for an owner in another process that
// says nothing, because it is stopped, say, before it returns kv.ErrUnavailable
// or kv.ErrUnknown: 5 s unless told. An owner that is at work is waited for.
func WithPatience(d time.Duration) Option {
	return sharing(sharekv.WithPatience(d))
}

// WithReserve sets how many bytes of the disk commits leave free (16 MiB, at
// most an eighth of the disk), beside what Badger needs to write and merge its
// tables. A commit that would use them is kv.ErrDiskFull.
func WithReserve(bytes uint64) Option {
	return func(s *settings) { s.reserve = bytes }
}

// WithCommitIDs keeps at least the newest n commit IDs instead of kv.EmbeddedCommitIDs.
func WithCommitIDs(n int) Option {
	return func(s *settings) { s.commitIDs = max(n, 1) }
}

// WithWatchLog lets watchers fall n changes behind, and up to twice as many,
// before they must resync.
func WithWatchLog(n int) Option {
	return sharing(sharekv.WithWatchLog(n))
}

// WithTimer ends turns by another clock than the system's: after calls f when d
// has passed, unless stop is called before, which reports whether it came in
// time.
func WithTimer(after func(d time.Duration, f func()) (stop func() bool)) Option {
	return sharing(sharekv.WithTimer(after))
}

// sharing hands an option on to sharekv.
func sharing(option sharekv.Option) Option {
	return func(s *settings) { s.sharing = append(s.sharing, option) }
}
