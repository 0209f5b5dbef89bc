//go:build js

package main

import (
	"syscall/js"

	"github.com/pawlkv/pawl/internal/calls"
)

// host is the object that instance.js is known by here. Its functions throw nothing.
type host struct{ js.Value }

// ready hands over what the program exports.
func (h host) ready(exports map[string]any) { h.Call("ready", exports) }

// answer answers a call: with its result, or how it failed, both JSON.
func (h host) answer(number int, result []byte, err error) {
	if err != nil {
		h.Call("failed", number, string(calls.Failure(err)))
		return
	}
	h.Call("done", number, string(result))
	clear(result)
}

// Write hands on a line of the log.
func (h host) Write(line []byte) (int, error) {
	h.Call("log", string(line))
	return len(line), nil
}
