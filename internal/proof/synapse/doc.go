// Package synapse runs Synapse for tests: a process on SQLite, in a directory of its
// own, which nobody but a proxy of package hs reaches. The proxy is what clients find;
// it makes faults and notes what was asked.
//
//	s := synapse.Start(t, *where, "example.org")
//	s.AddUser("@alice:example.org", "secret")
//	s.Fail(hs.Fault{Endpoint: "keys/upload", Times: 1, Do: hs.Lose})
//
// [StartDendrite] does the same with Dendrite, so that nothing of Pawl's goes by what one
// server says.
//
// Synapse is what "make synapse" installs: the versions in requirements.txt, each with
// its hash. It federates with nobody, and limits no rates.
package synapse
