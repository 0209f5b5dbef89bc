package kvtest

import (
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// Open returns an empty store.
type Open func(t testing.TB) kv.Store

// Reopen returns the store that is kept in dir, a new one if dir is empty.
type Reopen func(t testing.TB, dir string) kv.Store

// Option tells the suite about an engine.
type Option func(*settings)

type settings struct {
	commitIDs int
	patience  time.Duration
	txns      int
	saveIn    string
	forgets   bool // which batches it refused
	newDir    func(testing.TB) string
}

// CommitIDs tells that stores keep the newest n commit IDs, and at most 2n, where
// that is another number than Limits tells.
func CommitIDs(n int) Option { return func(s *settings) { s.commitIDs = n } }

// Patience is how long a call that should return may take before the suite
// calls it stuck; 30 s unless told.
func Patience(d time.Duration) Option { return func(s *settings) { s.patience = d } }

// Transactions is how many transactions each of the four clients of a random
// history makes; 60 unless told. Engines that sync each commit may want fewer.
func Transactions(n int) Option { return func(s *settings) { s.txns = n } }

// SaveHistories puts histories that fail into a directory that exists, rather
// than into the system's for temporary files.
func SaveHistories(dir string) Option { return func(s *settings) { s.saveIn = dir } }

// Directories gives names of places for stores where there are no directories: one that
// no store was in, at each call. Without it they are directories for temporary files.
func Directories(newDir func(testing.TB) string) Option {
	return func(s *settings) { s.newDir = newDir }
}

// ForgetsRefusals leaves out what is checked of batches that come with Again: it
// is for engines that are reached through something older than Batch.Again.
func ForgetsRefusals() Option { return func(s *settings) { s.forgets = true } }

// check is one named test. Its store is open(e), and empty.
type check struct {
	name string
	run  func(e *env)
}

// Run tests an engine.
func Run(t *testing.T, open Open, options ...Option) {
	runAll(t, checks(t), &env{open: open}, options)
}

// RunReopen tests that what an engine acknowledged is there when the store is
// opened again.
func RunReopen(t *testing.T, open Reopen, options ...Option) {
	runAll(t, reopenedChecks(t), &env{reopen: open}, options)
}

func runAll(t *testing.T, list []check, prototype *env, options []Option) {
	forgets := newEnv(t, prototype, options).forgets
	for _, c := range list {
		if !forgets || !c.ofRefusals() {
			t.Run(c.name, func(t *testing.T) { c.run(newEnv(t, prototype, options)) })
		}
	}
}

// ofRefusals reports whether an engine passes only if it remembers what it has
// refused.
func (c check) ofRefusals() bool {
	part, _, _ := strings.Cut(c.name, "/")
	return part == "refusal" || c.name == "reopen/refused-ids" || c.name == "shared/refused-ids" || c.name == "history/held-batches"
}

// parts are those of the suite that Run runs: scripts, and what no script says.
var parts = []struct {
	scripts string
	more    []check
}{
	{"isolation", nil},
	{"view", nil},
	{"", commitChecks},
	{"commit-id", commitIDChecks},
	{"refusal", refusalChecks},
	{"", snapshotChecks},
	{"watch", watchChecks},
	{"turn", turnChecks},
	{"limit", limitChecks},
	{"", valueChecks},
	{"", cancelChecks},
	{"close", closeChecks},
	{"", historyChecks},
}

// checks returns everything that Run does.
func checks(t testing.TB) (all []check) {
	t.Helper()
	for _, part := range parts {
		if part.scripts != "" {
			all = append(all, scripted(t, part.scripts)...)
		}
		all = append(all, part.more...)
	}
	return all
}

// reopenedChecks returns everything that RunReopen does.
func reopenedChecks(t testing.TB) []check {
	t.Helper()
	return append(scripted(t, "reopen"), reopenChecks...)
}
