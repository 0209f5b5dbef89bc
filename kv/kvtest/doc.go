// Package kvtest is the conformance suite of kv.Store: what the documentation
// of package kv promises, as tests that every engine passes.
//
//	func TestConformance(t *testing.T) {
//		kvtest.Run(t, func(t testing.TB) kv.Store { return memkv.New() })
//	}
//
// Engines that keep their data on disk also call [RunReopen], and those whose
// data several processes may have open call [RunShared]. Stores are closed
// by the suite; what an open function needs besides, it cleans up itself with
// t.Cleanup, which runs after the store is closed.
//
// # Parts
//
//   - isolation, view, commit-id, refusal, watch, turn, limit, close, reopen,
//     shared: one promise a file in vectors/kv, as a script, so that engines in
//     other languages can run them too. docs/port/kv-scripts.md has their language.
//   - the same, and commit, snapshot, value and cancel: one promise a function,
//     where it takes many goroutines, or more than a script can say.
//   - history: random transactions from several goroutines, checked for
//     linearizability. The seed is printed; -kvtest.seed runs it again. (What
//     is done is the same then, how goroutines interleave is not.) A history
//     that fails is saved, and its place printed.
//
// # What the suite cannot see
//
// Whether a commit is durable when power fails, and what processes do to each
// other that are killed: engines plug into packages kv/kvtest/power and
// kv/kvtest/processes.
//
// # Is the suite any good?
//
// Package kvtest/broken is an engine with a switch for each check it can leave
// out. A test of this package turns each of them and demands that the part made
// for it fails.
package kvtest
