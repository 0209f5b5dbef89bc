// Package grouping lets callers of kv.Store.Commit wait for the one goroutine
// of an engine that commits for all of them, so that several batches share one
// sync. Engines share it: a [Queue] hands each [Request] from its caller to the
// committer and back. A caller who is alone does the committer's work himself
// ([Queue.Lead]).
//
// A caller may give up as long as its request waits, and then it is certain
// that nothing was applied. Once the committer has taken it the outcome is a
// sync away, and the caller stays for it. Where it is a network away the committer
// says when the caller may leave ([Request.Copied]), with an unknown outcome.
package grouping
