// Package faulty wraps a kv.Store for tests, so that calls stop, fail or lose
// their answer where the test says.
//
//   - [Wrap] calls hooks before and after each call: a scheduler holds calls
//     back in them, a test cancels a context in them, a hook's error ends the
//     call.
//   - [Commits] gives each commit in turn one of the outcomes that a [Fault]
//     names: applied and the answer lost, a conflict, a full disk.
//   - [CancelAt] cancels a context at the n-th call; [Trace] records the calls.
//
// Wrappers nest. Each handle of a simulation wraps the one store for itself.
package faulty
