package kvtest

import (
	"slices"
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

// ForgetsRefusals leaves out what is checked of batches that come with Again: the
// engine does not remember yet which it has refused.
func ForgetsRefusals() Option { return func(s *settings) { s.forgets = true } }

// check is one named test. Its store is open(e), and empty.
type check struct {
	name string
	run  func(e *env)
}

// Run tests an engine.
func Run(t *testing.T, open Open, options ...Option) {
	runAll(t, checks(t), slices.Concat(refusalChecks, heldChecks), &env{open: open}, options)
}

// RunReopen tests that what an engine acknowledged is there when the store is
// opened again.
func RunReopen(t *testing.T, open Reopen, options ...Option) {
	runAll(t, reopenChecks, reopenRefusalChecks, &env{reopen: open}, options)
}

func runAll(t *testing.T, list, ofRefusals []check, prototype *env, options []Option) {
	if !newEnv(t, prototype, options).forgets {
		list = slices.Concat(list, ofRefusals)
	}
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) { c.run(newEnv(t, prototype, options)) })
	}
}

// checks returns everything that Run does.
func checks(t testing.TB) []check {
	all := isolationChecks(t)
	for _, part := range [][]check{
		commitChecks, commitIDChecks, snapshotChecks, watchChecks, turnChecks,
		limitChecks, valueChecks, cancelChecks, closeChecks, historyChecks,
	} {
		all = append(all, part...)
	}
	return all
}
