package sharekv

import (
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// Option changes how a store is opened.
type Option func(*settings)

type settings struct {
	name      string // of the directory, as the caller calls it
	limits    kv.Limits
	logger    *slog.Logger
	transport Transport
	watchLog  int
	timer     turns.After
	patience  time.Duration
	versions  wire.Versions
	guest     bool // never the owner
}

func defaults() settings {
	return settings{
		logger: slog.New(slog.DiscardHandler), transport: UnixSocket{},
		patience: wire.DefaultPatience, versions: wire.Spoken,
	}
}

// WithLogger tells a logger who becomes the owner, and what fails where no call
// can return it. Without it that is not told.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) { s.logger = logger }
}

// WithTransport connects the processes otherwise than by UnixSocket. All that
// share a store need the same.
func WithTransport(transport Transport) Option {
	return func(s *settings) { s.transport = transport }
}

// WithPatience sets how long a call waits for an owner in another process that
// says nothing, because it is stopped, say, before it returns kv.ErrUnavailable
// or kv.ErrUnknown: 5 s unless told. An owner that is at work is waited for.
func WithPatience(d time.Duration) Option {
	return func(s *settings) { s.patience = max(d, time.Millisecond) }
}

// WithWatchLog lets watchers fall n changes behind, and up to twice as many,
// before they must resync.
func WithWatchLog(n int) Option {
	return func(s *settings) { s.watchLog = max(n, 1) }
}

// WithTimer ends turns by another clock than the system's: after calls f when d
// has passed, unless stop is called before, which reports whether it came in
// time.
func WithTimer(after func(d time.Duration, f func()) (stop func() bool)) Option {
	return func(s *settings) { s.timer = after }
}

// AsGuest never makes this process the owner: where no other process has the
// store open, ErrAtRest is the answer, and nothing was touched.
func AsGuest() Option { return func(s *settings) { s.guest = true } }
