//go:build js

package idbkv

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"syscall/js"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// locks are the Web Locks of one store. The browser grants them in the order in which
// they are asked for, and takes back what a tab has that is gone. Their names say nothing
// but the name of the database, and hashes of keys.
type locks struct {
	prefix  string
	manager js.Value
	self    *webLock // by which the browser's name for this tab is found
	client  string
	first   map[string]time.Time // since when this tab has been the first to wait for a lock
}

const (
	sharedLock    = "shared"
	exclusiveLock = "exclusive"
)

func newLocks(database string) *locks {
	return &locks{prefix: "pawl/" + database + "/", manager: js.Global().Get("navigator").Get("locks"), first: make(map[string]time.Time)}
}

func (l *locks) format() string           { return l.prefix + "format" }
func (l *locks) allTurns() string         { return l.prefix + "turns" }
func (l *locks) turnOf(key uint64) string { return fmt.Sprintf("%sturn/%016x", l.prefix, key) }

// webLock is one that was asked for.
type webLock struct {
	granted chan struct{}
	refused bool          // it was asked for if it is free, and is not
	over    chan struct{} // closed when it is released, taken away, or the request withdrawn
	err     error
	resolve func()
	abort   js.Value
}

// ask asks for a lock, with options of LockManager.request.
func (l *locks) ask(name string, options map[string]any) *webLock {
	w := &webLock{granted: make(chan struct{}), over: make(chan struct{})}
	if len(options) == 1 { // neither steal nor ifAvailable, which take no signal
		w.abort = js.Global().Get("AbortController").New()
		options["signal"] = w.abort.Get("signal")
	}
	held, resolve := resolvable()
	w.resolve = resolve
	callback := js.FuncOf(func(_ js.Value, args []js.Value) any {
		if first(args).IsNull() {
			w.refused = true
			return nil
		}
		close(w.granted)
		return held
	})
	end := follow(l.manager.Call("request", name, options, callback))
	go func() {
		s := <-end
		callback.Release()
		w.err = s.err
		close(w.over)
	}()
	return w
}

// release lets go of the lock, or of the request for it.
func (w *webLock) release() {
	if w == nil {
		return
	}
	w.resolve()
	if w.abort.Truthy() {
		w.abort.Call("abort")
	}
}

// know learns what the browser calls this tab.
func (l *locks) know(ctx context.Context, wait time.Duration) error {
	var id [16]byte
	rand.Read(id[:]) // never fails
	name := l.prefix + "tab/" + hex.EncodeToString(id[:])
	self, err := l.take(ctx, name, exclusiveLock, wait)
	if err != nil {
		return err
	}
	l.self = self
	state, err := await(ctx, l.manager.Call("query"))
	if err != nil {
		return fmt.Errorf("%w: the locks cannot be looked at: %w", kv.ErrUnusable, err)
	}
	held := state.Get("held")
	for i := range held.Length() {
		if held.Index(i).Get("name").String() == name {
			l.client = held.Index(i).Get("clientId").String()
		}
	}
	return nil
}

func (l *locks) close() { l.self.release() }

// take waits for a lock, for so long at most.
func (l *locks) take(ctx context.Context, name, mode string, wait time.Duration) (*webLock, error) {
	w := l.ask(name, map[string]any{"mode": mode})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	err := error(nil)
	select {
	case <-w.granted:
		return w, nil
	case <-w.over:
		return nil, w.why()
	case <-timer.C:
		err = fmt.Errorf("%w: another tab keeps a lock", kv.ErrUnavailable)
	case <-ctx.Done():
		err = ctx.Err()
	}
	w.release()
	return nil, err
}

// tryExclusive takes a lock if nobody has it.
func (l *locks) tryExclusive(ctx context.Context, name string) (w *webLock, free bool, err error) {
	w = l.ask(name, map[string]any{"mode": exclusiveLock, "ifAvailable": true})
	select {
	case <-w.granted:
		return w, true, nil
	case <-w.over:
		if w.refused {
			return nil, false, nil
		}
		return nil, false, w.why()
	case <-ctx.Done():
		w.release()
		return nil, false, ctx.Err()
	}
}

// why says why a lock was not granted.
func (w *webLock) why() error {
	if w.err == nil {
		return fmt.Errorf("%w: the browser did not grant a lock", kv.ErrUnavailable)
	}
	return fmt.Errorf("%w: the browser did not grant a lock: %w", kv.ErrUnavailable, w.err)
}

// takeTurn waits for the lock of a turn. Who has had it for longer than a turn is granted, being
// frozen perhaps, loses it.
func (l *locks) takeTurn(ctx context.Context, name, mode string, closed <-chan struct{}) (*webLock, error) {
	w := l.ask(name, map[string]any{"mode": mode})
	ticker := time.NewTicker(turnLife / 2)
	defer ticker.Stop()
	for {
		err := error(nil)
		select {
		case <-w.granted:
			return w, nil
		case <-w.over:
			return nil, w.why()
		case <-ticker.C:
			l.evict(ctx, name)
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-closed:
			err = kv.ErrClosed
		}
		w.release()
		return nil, err
	}
}

// evict takes a lock away from who has it, if this tab has been the first to wait
// for it for as long as a turn is granted: then the same has had it all that time. Whoever
// waits keeps his place.
func (l *locks) evict(ctx context.Context, name string) {
	state, err := await(ctx, l.manager.Call("query"))
	if err != nil {
		return
	}
	if !l.isFirst(state.Get("pending"), name) {
		delete(l.first, name)
		return
	}
	since, known := l.first[name]
	switch {
	case !known:
		l.first[name] = time.Now()
	case time.Since(since) > grantLife:
		delete(l.first, name)
		stolen := l.ask(name, map[string]any{"mode": exclusiveLock, "steal": true})
		stolen.release()
	}
}

func (l *locks) isFirst(pending js.Value, name string) bool {
	for i := range pending.Length() {
		if p := pending.Index(i); p.Get("name").String() == name {
			return p.Get("clientId").String() == l.client
		}
	}
	return false
}
