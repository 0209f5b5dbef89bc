//go:build cgo

package main

// #include "enter.h"
import "C"

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/pawlkv/pawl/internal/calls"
)

// callbacks are made one after the other by one goroutine, which has a thread for
// itself.
var (
	callbacks = make(chan func())
	begin     = sync.OnceFunc(func() { go callBack() })
	// calling is the thread of the callbacks, 0 before there is one.
	calling atomic.Int64
)

func callBack() {
	runtime.LockOSThread()
	calling.Store(int64(C.libpawl_thread()))
	for do := range callbacks {
		do()
	}
}

// inCallback reports whether a callback is what calls.
func inCallback() bool { return calling.Load() == int64(C.libpawl_thread()) }

// inC hands bytes to a callback while it runs.
func inC(data []byte, do func(*C.uint8_t, C.size_t)) {
	b := C.CBytes(data)
	defer func() {
		out := C.pawl_bytes{(*C.uint8_t)(b), C.size_t(len(data))}
		C.pawl_free(&out)
	}()
	do((*C.uint8_t)(b), C.size_t(len(data)))
}

//export goPawlWatch
func goPawlWatch(stream C.pawl_handle, callback, user C.uintptr_t) C.pawl_code {
	next, err := library.Items(calls.Handle(stream))
	if err != nil {
		return C.pawl_code(calls.Number(err))
	}
	begin()
	go func() {
		for {
			item, err := next(context.Background())
			if err != nil {
				item = calls.Failure(err)
			}
			done := make(chan struct{})
			callbacks <- func() {
				defer close(done)
				inC(item, func(data *C.uint8_t, n C.size_t) {
					C.libpawl_item(callback, user, stream, C.pawl_code(calls.Number(err)), data, n)
				})
			}
			<-done
			if err != nil {
				return
			}
		}
	}()
	return 0
}

// logQueue is how many lines wait for the callback before some are left out.
const logQueue = 1024

// lineHandler is the slog.Handler that hands lines to C.
type lineHandler struct {
	*logState
	with func(slog.Handler) slog.Handler
}

type logState struct {
	mu       sync.Mutex
	callback C.uintptr_t
	user     C.uintptr_t
	level    slog.Level
	waiting  []line
	lost     int
	running  bool
}

type line struct {
	level slog.Level
	text  []byte
}

func newLines() *lineHandler { return &lineHandler{logState: &logState{}} }

// Enabled implements slog.Handler.
func (h *lineHandler) Enabled(_ context.Context, level slog.Level) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.callback != 0 && level >= h.level
}

// WithAttrs implements slog.Handler.
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.then(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h *lineHandler) WithGroup(name string) slog.Handler {
	return h.then(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h *lineHandler) then(more func(slog.Handler) slog.Handler) slog.Handler {
	before := h.with
	return &lineHandler{h.logState, func(to slog.Handler) slog.Handler {
		if before != nil {
			to = before(to)
		}
		return more(to)
	}}
}

// Handle implements slog.Handler. It waits for nobody.
func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	var b bytes.Buffer
	var to slog.Handler = slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.Level(-1 << 30)})
	if h.with != nil {
		to = h.with(to)
	}
	if err := to.Handle(ctx, r); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.callback == 0 {
		return nil
	}
	if len(h.waiting) >= logQueue {
		h.lost++
		return nil
	}
	h.waiting = append(h.waiting, line{r.Level, bytes.TrimSuffix(b.Bytes(), []byte("\n"))})
	if !h.running {
		h.running = true
		go h.run()
	}
	return nil
}

// run hands the lines that wait to the callback, until there are none.
func (h *logState) run() {
	for more := true; more; {
		done := make(chan struct{})
		callbacks <- func() {
			defer close(done)
			h.mu.Lock()
			all, lost, callback, user := h.waiting, h.lost, h.callback, h.user
			h.waiting, h.lost = nil, 0
			h.mu.Unlock()
			if lost > 0 {
				all = append(all, lostLine(lost))
			}
			for _, l := range all {
				if callback != 0 && h.still(callback, user) {
					inC(l.text, func(data *C.uint8_t, n C.size_t) {
						C.libpawl_line(callback, user, C.int32_t(l.level), data, n)
					})
				}
			}
		}
		<-done
		h.mu.Lock()
		more = len(h.waiting) > 0
		h.running = more
		h.mu.Unlock()
	}
}

func lostLine(n int) line {
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Warn("pawl: lines of the log were left out", "lines", n)
	return line{slog.LevelWarn, bytes.TrimSuffix(b.Bytes(), []byte("\n"))}
}

// still reports whether the callback was not changed by one that came before.
func (h *logState) still(callback, user C.uintptr_t) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.callback == callback && h.user == user
}

//export goPawlLog
func goPawlLog(callback, user C.uintptr_t, level C.int32_t) C.pawl_code {
	begin()
	lines.mu.Lock()
	lines.callback, lines.user, lines.level = callback, user, slog.Level(level)
	lines.mu.Unlock()
	if inCallback() {
		return 0
	}
	done := make(chan struct{})
	callbacks <- func() { close(done) } // what began before has returned
	<-done
	return 0
}
