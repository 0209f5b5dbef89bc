// Package clients tests Pawl as a whole client, in processes of its own, beside
// clients of other make, on the homeserver of package hs.
//
// A scenario is a function over a device under test and its peers (scenarios_test.go).
// The device is Pawl's, on Badger or on SQLite, with three processes on one store, or
// mautrix-go's as the control; the peers are mautrix-go's or matrix-sdk-crypto's. The
// oracle judges each life by what the server and the readers saw of it.
//
//	go test -tags goolm .                                each scenario once
//	go test -tags goolm . -clients.all                   with every engine and peer
//	go test -tags goolm . -run 'TestScenarios$/random'   kills, stops, freezes and faults at random:
//	    -clients.rounds=2000 -clients.restarts=300       so many of them
//	    -clients.seed=7                                  those of a run that failed
//	    -clients.race                                    Pawl's processes with the race detector
//
// What random rounds meet by chance is played at chosen commits, too (moments_test.go).
//
// CGO_ENABLED=0 saves compiling an SQLite that nobody uses. Without Node 20, and "npm ci"
// in nodebot, what needs matrix-sdk-crypto is skipped; with PAWL_NODE=1 it fails.
//
// TestPythonStory has Pawl's binding for Python (pybot) under test, with a process in Go
// on the same store: "make test-c" builds the library that it needs, and plays it.
package clients
