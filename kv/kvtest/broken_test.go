package kvtest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/broken"
)

// foundBy names, for each flaw, the checks that are there to find it.
var foundBy = map[broken.Flaw][]string{
	broken.SkipReads: {"isolation/lost-update", "isolation/lost-update-first-writer", "isolation/write-skew",
		"isolation/read-only-anomaly", "isolation/dirty-read", "isolation/circular-information-flow",
		"isolation/aba-recreated", "isolation/aba-same-value", "commit/counter", "history/linearizable"},
	broken.SkipAbsence:   {"isolation/absence", "commit/conflict-names-keys", "history/linearizable"},
	broken.SkipExistence: {"isolation/existence", "commit/conflict-names-keys"},
	broken.SkipScans: {"isolation/phantom-insert", "isolation/phantom-delete", "isolation/phantom-update",
		"isolation/write-skew-predicate", "isolation/scan-neighbours", "history/linearizable"},
	broken.SkipPhantoms: {"isolation/phantom-insert", "isolation/phantom-insert-empty", "isolation/phantom-insert-last"},
	broken.SkipEmpty:    {"isolation/empty-batch", "commit/empty-returns-head"},
	broken.SkipNames:    {"isolation/lost-update", "commit/conflict-names-keys"},
	broken.CheckThenAct: {"commit/counter"},
	broken.WriteOnConflict: {"isolation/refused-writes-nothing", "isolation/lost-update", "isolation/dirty-read",
		"commit/conflict-names-keys"},
	broken.TornWrites:       {"commit/one-step-for-readers"},
	broken.VersionsRestart:  {"isolation/aba-recreated", "commit/versions-rise-after-deletion", "commit/version-of-every-entry"},
	broken.DeletionsUncount: {"commit/versions-rise-after-deletion"},
	broken.KeepsValue:       {"value/belongs-to-caller"},
	broken.ReusesBytes:      {"value/stays"},
	broken.EmptyIsAbsent:    {"value/sizes", "isolation/read-your-commits"},
	broken.SameValueSkipped: {"isolation/aba-same-value", "isolation/phantom-update"},
	broken.DeletedShows:     {"isolation/deleted-reads-absent", "isolation/read-your-commits"},
	broken.CoarseConflicts:  {"isolation/blind-writes", "isolation/aba-absent", "isolation/separate-keys"},

	broken.ForgetIDs:      {"commit-id/applied-once", "commit-id/another-batch", "commit-id/at-once", "commit-id/newest-kept", "reopen/unsynced", "history/lost-answers"},
	broken.CheckBeforeID:  {"commit-id/applied-once", "commit-id/at-once"},
	broken.NeverExpires:   {"commit-id/expired", "reopen/expired-id"},
	broken.RemembersAll:   {"commit-id/refused"},
	broken.StoresEmptyIDs: {"commit-id/without-writes"},
	broken.LosesIDs:       {"reopen/commit-ids", "reopen/expired-id"},
	broken.ForgetsRefused: {"refusal/absent-again", "refusal/empty-again", "refusal/expires", "history/held-batches"},
	broken.RefusesApplied: {"refusal/applied-before"},
	broken.RefusesUnknown: {"refusal/not-refused"},
	broken.RefusedRenewed: {"refusal/expires"},
	broken.RefusedClog:    {"refusal/many"},
	broken.LosesRefused:   {"reopen/refused-ids"},
	broken.LosesLast:      {"reopen/content", "reopen/unsynced", "reopen/close-racing-commits"},
	broken.LosesHead:      {"reopen/version"},

	broken.ViewMoves: {"isolation/non-repeatable-read", "isolation/read-skew", "isolation/fuzzy-snapshot",
		"isolation/vanishing-transaction", "snapshot/many-open", "snapshot/scan-breaks-off", "snapshot/shared"},
	broken.MovesValues:   {"isolation/non-repeatable-read", "isolation/read-skew", "view/value", "snapshot/version-stood", "history/linearizable"},
	broken.MovesAbsences: {"view/absence", "snapshot/version-stood"},
	broken.MovesScans:    {"view/scan", "view/scan-empty", "view/scan-broken-off", "snapshot/version-stood"},
	broken.MovesParts:    {"view/scan-broken-off"},
	broken.VersionAhead:  {"snapshot/version-stood", "snapshot/begins-with-first-call"},
	broken.ViewsEnd:      {"view/moves-on", "view/comes-back", "history/linearizable"},
	broken.ViewEager:     {"snapshot/begins-with-first-call"},
	broken.ViewLags:      {"isolation/read-your-commits", "snapshot/sees-what-returned", "history/linearizable"},
	broken.ViewOutlast:   {"snapshot/closed"},
	broken.LookWhole:     {"snapshot/look"},
	broken.GetUnique:     {"snapshot/get-order", "isolation/read-twice"},
	broken.ScanOrder:     {"value/any-bytes-in-keys"},
	broken.ScanEnd:       {"value/any-bytes-in-keys"},

	broken.WatchFromNow:    {"watch/from-a-version", "watch/without-a-gap", "reopen/watch"},
	broken.WatchNoDeletion: {"watch/from-a-version", "watch/wakes"},
	broken.WatchAnyPrefix:  {"watch/prefix", "watch/last-byte"},
	broken.WatchStale:      {"watch/latest-state", "watch/from-a-version"},
	broken.WatchDrops:      {"watch/slow-reader"},
	broken.WatchSilent:     {"watch/ends"},
	broken.WatchHead:       {"watch/goes-on-after-loss"},

	broken.TurnsIgnored:  {"turn/commit-waits", "turn/commit-outlasts-it", "turn/canceled-commit"},
	broken.TurnsShared:   {"turn/one-at-a-time", "turn/commit-waits", "turn/released-twice", "turn/invalid"},
	broken.TurnsForever:  {"turn/one-at-a-time", "turn/commit-outlasts-it"},
	broken.TurnsGlobal:   {"turn/other-keys-pass"},
	broken.TurnsKeyed:    {"turn/whole-store"},
	broken.TurnsLinger:   {"turn/canceled-waiter-leaves"},
	broken.TurnsOneByOne: {"turn/several-keys"},
	broken.TurnsStrict:   {"turn/unknown-id", "turn/commit-outlasts-it"},
	broken.TurnsReversed: {"turn/order"},

	broken.HandlesLag:    {"shared/one-store"},
	broken.HandlesIDs:    {"shared/applied-once", "shared/refused-ids"},
	broken.HandlesTurns:  {"shared/turns", "shared/turns-end", "shared/turns-whole"},
	broken.HandlesStarve: {"shared/turns-pass-few"},
	broken.HandlesDeaf:   {"shared/watch"},
	broken.HandlesClose:  {"shared/close"},

	broken.LimitIgnored:     {"limit/writes", "limit/bytes", "limit/checks"},
	broken.EmptyScansFree:   {"limit/checks"},
	broken.LimitsBelowFloor: {"limit/floor"},
	broken.LimitsChange:     {"limit/floor"},
	broken.LimitsOverstated: {"limit/largest", "limit/writes", "limit/bytes", "limit/checks"},
	broken.InvalidIgnored:   {"limit/keys", "limit/no-id"},
	broken.CloseIgnored:     {"close/calls-after", "close/every-call", "close/racing-commits"},
	broken.CloseOutwaited:   {"close/outstanding"},
	broken.CloseLies:        {"reopen/close-outstanding"},
	broken.CancelIgnored:    {"cancel/before", "cancel/deadline", "cancel/during-scan"},
	broken.CancelLies:       {"cancel/before", "cancel/deadline", "cancel/during-commit"},
	broken.CancelIsUnknown:  {"cancel/before"},
}

// brokenIDs keeps the checks of expiry short.
const brokenIDs = 40

// recorder is a testing.TB that notes failures instead of failing.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failed   bool
	messages []string
	cleanups []func()
}

func (r *recorder) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
	r.messages = append(r.messages, text)
}

func (r *recorder) Helper()                           {}
func (r *recorder) Logf(string, ...any)               {}
func (r *recorder) Errorf(format string, args ...any) { r.note(fmt.Sprintf(format, args...)) }
func (r *recorder) Fatal(args ...any)                 { r.note(fmt.Sprint(args...)); runtime.Goexit() }
func (r *recorder) Fatalf(format string, args ...any) {
	r.note(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// finish ends the check as testing does.
func (r *recorder) finish() {
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
}

// runChecked runs a check on a flawed engine and reports what it says.
func runChecked(t *testing.T, c check, flaw broken.Flaw) (failed bool, messages []string) {
	t.Helper()
	r := &recorder{TB: t}
	disks := make(map[string]*broken.Disk)
	shared := make(map[string][]*broken.Handle)
	prototype := &env{
		open: func(testing.TB) kv.Store { return broken.Open(broken.NewDisk(brokenIDs), flaw) },
		reopen: func(_ testing.TB, dir string) kv.Store {
			if strings.HasPrefix(c.name, "shared/") {
				all := shared[dir]
				if len(all) == 0 {
					all = []*broken.Handle{broken.Share(broken.Open(broken.NewDisk(brokenIDs), broken.None), 1, flaw)}
				} else {
					all = append(all, broken.Share(all[0].Store, len(all)+1, flaw))
				}
				shared[dir] = all
				return all[len(all)-1]
			}
			if disks[dir] == nil {
				disks[dir] = broken.NewDisk(brokenIDs)
			}
			return broken.Open(disks[dir], flaw)
		},
	}
	patience := time.Minute
	if flaw != broken.None && flaw != broken.MovesOn {
		patience = time.Second
	}
	e := newEnv(r, prototype, []Option{CommitIDs(brokenIDs), Patience(patience), SaveHistories(t.TempDir())})
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.finish()
		c.run(e)
	}()
	<-done
	return r.failed, r.messages
}

// chances is how often a check may miss a flaw that shows only if goroutines meet
// in the middle of something. Most need one run.
const chances = 50

func runUntilFound(t *testing.T, c check, flaw broken.Flaw) (failed bool, messages []string) {
	t.Helper()
	for i := 0; i < chances && !failed; i++ {
		failed, messages = runChecked(t, c, flaw)
	}
	return failed, messages
}

// everyCheck returns all checks by name.
func everyCheck(t *testing.T) map[string]check {
	all := make(map[string]check)
	for _, c := range slices.Concat(checks(t), reopenedChecks(t), sharedChecks(t)) {
		if _, twice := all[c.name]; twice {
			t.Fatalf("two checks are called %s", c.name)
		}
		all[c.name] = c
	}
	return all
}

// TestEachFlawIsFound: whatever an engine leaves out, the checks made for it
// fail.
func TestEachFlawIsFound(t *testing.T) {
	all := everyCheck(t)
	for flaw, names := range foundBy {
		t.Run(strings.ReplaceAll(string(flaw), " ", "-"), func(t *testing.T) {
			t.Parallel()
			for _, name := range names {
				c, known := all[name]
				if !known {
					t.Errorf("there is no check called %s", name)
					continue
				}
				failed, messages := runUntilFound(t, c, flaw)
				if !failed {
					t.Errorf("%s passes although %s", name, flaw)
					continue
				}
				t.Logf("%s: %s", name, messages[0])
			}
		})
	}
}

// TestEveryCheckFindsSomething: a check that no flaw fails might be empty.
func TestEveryCheckFindsSomething(t *testing.T) {
	var named []string
	for _, names := range foundBy {
		named = append(named, names...)
	}
	for name := range everyCheck(t) {
		if !slices.Contains(named, name) {
			t.Errorf("no flaw is there for %s to find", name)
		}
	}
}

// TestNoFlaw: what is not broken passes everything, with exact views and with
// views that move on.
func TestNoFlaw(t *testing.T) {
	for _, sound := range []broken.Flaw{broken.None, broken.MovesOn} {
		for name, c := range everyCheck(t) {
			if failed, messages := runChecked(t, c, sound); failed {
				t.Errorf("%s: %s: %q", sound, name, messages)
			}
		}
	}
}
