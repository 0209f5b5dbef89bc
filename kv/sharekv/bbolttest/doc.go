// Package bbolttest shares bbolt by sharekv, to prove that sharekv knows nothing
// of the engine that it shares: the conformance suite and those of sharing, with
// processes that are killed, pass for it as for Badger.
//
// The engine keeps all of kv's contract, in the plainest way: a commit is a
// bbolt transaction of its own, synced whether asked for or not. It has a module
// of its own so that Pawl does not depend on bbolt.
package bbolttest
