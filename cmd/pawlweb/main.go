//go:build js

// Pawlweb is the program of web/, Pawl for JavaScript: it makes the calls of
// internal/calls for the module that has started it, web/instance.js, and ends when that
// says so. docs/web.md is what people read who use it.
package main

import (
	"context"
	"log/slog"
	"syscall/js"

	"github.com/pawlkv/pawl/internal/calls"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/idbkv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// engines are those that a program in a browser, or one in Node, may open a store with.
var engines = map[string]calls.Engine{
	"memory": func(context.Context, string, *slog.Logger) (kv.Store, error) { return memkv.New(), nil },
	"indexeddb": func(ctx context.Context, name string, log *slog.Logger) (kv.Store, error) {
		return idbkv.Open(ctx, name, idbkv.WithLogger(log))
	},
	"indexeddb_unsynced": func(ctx context.Context, name string, log *slog.Logger) (kv.Store, error) {
		return idbkv.Open(ctx, name, idbkv.WithLogger(log), idbkv.WithoutSync())
	},
}

// hostName is where instance.js has put itself, in a global object of this program alone.
const hostName = "pawlHost"

func main() {
	h := host{js.Global().Get(hostName)}
	p := &program{
		host:    h,
		library: calls.New(slog.New(slog.NewJSONHandler(h, &slog.HandlerOptions{ReplaceAttr: withoutTime})), engines),
		cancels: make(map[int]context.CancelFunc),
		ended:   make(chan struct{}),
	}
	p.host.ready(p.exports())
	<-p.ended
}

// withoutTime leaves out what the console adds.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
