// Package processes runs one device as real processes of the operating system,
// on an engine that they share, beside a far side that is not Pawl.
//
// A [Process] is this program started again, which calls [Serve]. It opens the
// store and works as a pawl.Machine; its parent asks it for one call after
// another, or for many at once, over its standard input and output. To the
// parent it is a story.Device, so the ledger of package story notes what left
// every process, whether or not somebody still waited for it, and its oracles
// judge all of it together.
//
// What they say to each other are lines of JSON, a [request] and its [answer]: the calls
// are those of docs/calls.txt (package remote), so that a program in another language can
// be a process too (child.py).
//
// A process can be killed, stopped and continued wherever it is, and it can say
// when it comes to a [Moment] at which that should happen. What it had said
// before counts; a call that it did not answer is [ErrGone].
package processes
