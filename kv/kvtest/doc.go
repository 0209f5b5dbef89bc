// Package kvtest is the conformance suite of kv.Store: what the documentation
// of package kv promises, as tests that every engine passes.
//
//	func TestConformance(t *testing.T) {
//		kvtest.Run(t, func(t testing.TB) kv.Store { return memkv.New() })
//	}
//
// Engines that keep their data on disk also call [RunReopen]. Stores are closed
// by the suite; what an open function needs besides, it cleans up itself with
// t.Cleanup, which runs after the store is closed.
//
// # Parts
//
//   - isolation: one anomaly a file in testdata/isolation, as a script of a few
//     transactions. See [Run] with -v for their names, script.go for the
//     language.
//   - commit-id, refusal, watch, turn, snapshot, limit, value, cancel, close, reopen: one
//     promise a test.
//   - history: random transactions from several goroutines, checked for
//     linearizability. The seed is printed; -kvtest.seed runs it again. (What
//     is done is the same then, how goroutines interleave is not.) A history
//     that fails is saved, and its place printed.
//
// # What the suite cannot see
//
// Whether a commit is durable when power fails: engines test that themselves.
//
// # Is the suite any good?
//
// Package kvtest/broken is an engine with a switch for each check it can leave
// out. A test of this package turns each of them and demands that the part made
// for it fails.
package kvtest
