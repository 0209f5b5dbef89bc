// Package client is what a Matrix client writes around a [pawl.Machine], as
// docs/client.md tells it: the loop (loop.go), requests and what became of them
// (deliver.go), and sending into an encrypted room (say.go). What it asks of a
// homeserver goes over net/http (homeserver.go).
//
// It is an example, to be copied and changed: examples/bot and examples/bridge use
// it as it is. Of everything but encryption it does as little as they need.
package client
