package pgkv

import (
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pawlkv/pawl/kv"
)

// Option changes how a database is used.
type Option func(*settings)

type settings struct {
	schema    string
	version   int64 // of the schema; tests are older programs
	commitIDs int
	mode      Mode
	wait      time.Duration
	poll      time.Duration
	existing  bool
	witnesses string
	listener  *pgx.ConnConfig
	logger    *slog.Logger
}

func defaults() settings {
	witnesses, err := os.UserConfigDir()
	if err == nil {
		witnesses = filepath.Join(witnesses, "pawl")
	}
	return settings{
		witnesses: witnesses,
		schema:    "pawl", version: schemaVersion, commitIDs: kv.EmbeddedCommitIDs,
		wait: 10 * time.Second, poll: time.Second, logger: slog.New(slog.DiscardHandler),
	}
}

// Mode is how a space is kept safe from the failover to a standby that was behind. It
// is stored with the space when that is made.
type Mode int

const (
	// Asynchronous spaces may lie on any server: one without standbys, or with such
	// as may be behind.
	Asynchronous Mode = iota
	// Synchronous spaces lie on a server that acknowledges a commit when a quorum of
	// standbys has it on disk.
	Synchronous
)

// WithSchema uses a schema of another name than pawl. Its tables are made by the first
// Open.
func WithSchema(name string) Option { return func(s *settings) { s.schema = name } }

// WithExisting leaves a database alone that has no schema of ours: Open is ErrNoSchema.
// An older schema it raises.
func WithExisting() Option { return func(s *settings) { s.existing = true } }

// WithCommitIDs keeps the newest n commit IDs of each space, 100,000 unless told: a
// minute's at 1,666 commits/s. It counts when the schema is made; after that the schema
// says how many. Each takes about 150 bytes, so that
// where there are thousands of spaces that commit now and then 10,000 are better.
func WithCommitIDs(n int) Option { return func(s *settings) { s.commitIDs = max(n, 1) } }

// WithMode says how spaces are made that are not there yet; Asynchronous unless told.
func WithMode(mode Mode) Option { return func(s *settings) { s.mode = mode } }

// WithWitnesses keeps the files that remember how far spaces had come in a directory, and
// not in pawl within the user's configuration directory; an empty name keeps none. They
// are for this machine alone: each has its own.
func WithWitnesses(dir string) Option { return func(s *settings) { s.witnesses = dir } }

// WithWait is how long a call waits for an answer of the server, 10 s unless told, if
// its context does not end before.
func WithWait(d time.Duration) Option { return func(s *settings) { s.wait = d } }

// WithPoll is how often somebody who watches looks for changes of which no
// notification came, every second unless told.
func WithPoll(d time.Duration) Option { return func(s *settings) { s.poll = d } }

// WithListener makes the connection that is told of changes from another configuration
// than the pool's: one that leads to the server directly, where the pool's leads to a
// pooler that gives each transaction another session.
func WithListener(config *pgx.ConnConfig) Option { return func(s *settings) { s.listener = config } }

// WithLogger is told what no caller is: that notifications have stopped, say.
func WithLogger(logger *slog.Logger) Option { return func(s *settings) { s.logger = logger } }
