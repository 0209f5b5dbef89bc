package etcdkv

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// What etcd takes unless it is told otherwise.
const (
	defaultMaxOps   = 128     // --max-txn-ops
	defaultMaxBytes = 3 << 19 // --max-request-bytes: 1.5 MiB
	defaultWait     = 5 * time.Second
	turnLife        = time.Second
	// maxMoreOps is how many compares, or operations of one branch, a commit has beside
	// its own, and room for the transaction that records a refusal.
	maxMoreOps = 16
	// minMaxOps is the least that reaches kv.Floor.
	minMaxOps = kv.FloorChecks + maxMoreOps
)

// Option changes how a database is opened.
type Option func(*settings)

type settings struct {
	logger    *slog.Logger
	wait      time.Duration
	maxOps    int
	maxBytes  int
	commitIDs int
	timer     turns.After
	existing  bool

	witnessDir string
}

func defaults() settings {
	return settings{
		logger: slog.New(slog.DiscardHandler), wait: defaultWait,
		maxOps: defaultMaxOps, maxBytes: defaultMaxBytes,
		commitIDs: kv.EmbeddedCommitIDs, timer: turns.RealTime,
	}
}

// WithLogger makes the stores write to a logger. Without it they are silent.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) { s.logger = logger }
}

// WithWait sets how long a call waits for etcd before it returns kv.ErrUnavailable, or
// kv.ErrUnknown for a commit that was sent (5 s).
func WithWait(d time.Duration) Option {
	return func(s *settings) { s.wait = d }
}

// WithMaxOps tells that all members of the cluster take so many operations in one
// transaction (their --max-txn-ops, 128 by default), so that a commit may have more
// writes. All who open a store should tell the same: what one could write in
// one commit the other may have to split.
func WithMaxOps(n int) Option {
	return func(s *settings) { s.maxOps = n }
}

// WithMaxRequestBytes tells that all members take requests of so many bytes (their
// --max-request-bytes, 1.5 MiB by default).
func WithMaxRequestBytes(n int) Option {
	return func(s *settings) { s.maxBytes = n }
}

// WithCommitIDs makes new stores keep at least the newest n commit IDs instead of
// kv.EmbeddedCommitIDs. A store that is there keeps as many as it was made with.
func WithCommitIDs(n int) Option {
	return func(s *settings) { s.commitIDs = max(n, 1) }
}

// WithWitnessDir keeps a file for each store in a directory of this host, which must exist:
// it remembers how far the store had come, and shows one that was restored from a backup
// into the same cluster. Without it only a restore into a new cluster shows.
func WithWitnessDir(dir string) Option {
	return func(s *settings) { s.witnessDir = dir }
}

// WithExisting makes no stores: opening one that is not there is ErrNoStore.
func WithExisting() Option {
	return func(s *settings) { s.existing = true }
}

// check returns kv.ErrInvalid for settings that reach less than kv.Floor.
func (s *settings) check() error {
	if s.maxOps < minMaxOps {
		return fmt.Errorf("%w: WithMaxOps(%d): at least %d (etcd's own default is %d)", kv.ErrInvalid, s.maxOps, minMaxOps, defaultMaxOps)
	}
	if s.maxBytes < defaultMaxBytes {
		return fmt.Errorf("%w: WithMaxRequestBytes(%d): at least %d, which is etcd's own default", kv.ErrInvalid, s.maxBytes, defaultMaxBytes)
	}
	return nil
}

// direct is how many checks a transaction makes by itself.
func (s *settings) direct() int { return s.maxOps - maxMoreOps }

// limits returns what a commit may hold: a third of a request is for the keys of its
// checks, and what is around them. More checks than a transaction makes are made by a view
// before it (settled.go).
func (s *settings) limits(commitIDs int) kv.Limits {
	return kv.Limits{
		Bytes: s.maxBytes / 3 * 2, Writes: s.maxOps - maxMoreOps, Checks: kv.EmbeddedChecks,
		CommitIDs: commitIDs, TurnLife: turnLife,
	}
}
