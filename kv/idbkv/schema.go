//go:build js

package idbkv

import (
	"context"
	"fmt"
	"syscall/js"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// Names of the object stores, of an index, and of what is in meta.
const (
	metaStore    = "meta"
	entriesStore = "entries"
	commitsStore = "commits"
	changesStore = "changes"
	turnsStore   = "turns"
	byID         = "id" // of commits
	madeBy       = "pawl"
	formatKey    = "format"
)

var allStores = []any{metaStore, entriesStore, commitsStore, changesStore, turnsStore}

// opening is a request to open a database.
type opening struct {
	request js.Value
	version int // that we ask for, 0: as it is
	blocked bool
	late    bool // nobody waits for it any more
	made    error
	done    chan settled
	funcs   []js.Func
}

// openDatabase opens a database, and makes it if there is none and version is not 0. An
// open that is not granted in time is given up: if it is granted later, it changes nothing.
func openDatabase(ctx context.Context, name string, version int, wait time.Duration) (js.Value, error) {
	o := &opening{version: version, done: make(chan settled, 1)}
	err := try(func() error {
		if version == 0 {
			o.request = indexedDB.Call("open", name)
		} else {
			o.request = indexedDB.Call("open", name, version)
		}
		return nil
	})
	if err != nil {
		return js.Undefined(), fmt.Errorf("%w: %w", kv.ErrUnusable, err)
	}
	o.on("success", o.succeeded)
	o.on("error", o.failed)
	o.on("blocked", func(js.Value) { o.blocked = true })
	o.on("upgradeneeded", o.upgrade)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case s := <-o.done:
		return s.value, s.err
	case <-timer.C:
		err = fmt.Errorf("%w: another tab has the database open and does not let go of it: close it", kv.ErrInUse)
	case <-ctx.Done():
		err = ctx.Err()
	}
	o.late = true
	select {
	case s := <-o.done: // granted meanwhile
		if s.err == nil {
			s.value.Call("close")
		}
	default:
	}
	return js.Undefined(), err
}

func (o *opening) on(event string, call func(event js.Value)) {
	f := js.FuncOf(func(_ js.Value, args []js.Value) any {
		call(args[0])
		return nil
	})
	o.funcs = append(o.funcs, f)
	o.request.Set("on"+event, f)
}

func (o *opening) end(s settled) {
	for _, f := range o.funcs {
		f.Release()
	}
	o.done <- s
}

func (o *opening) succeeded(js.Value) {
	db := o.request.Get("result")
	if o.late {
		db.Call("close")
	}
	o.end(settled{value: db})
}

func (o *opening) failed(event js.Value) {
	event.Call("preventDefault")
	err := o.made
	if err == nil {
		failure := o.request.Get("error")
		err = thrownError{failure.Get("name").String(), failure.Get("message").String()}
	}
	o.end(settled{err: err})
}

// upgrade makes the object stores of a new database. One that is granted too late, or
// that we only want to look at, is left as it is.
func (o *opening) upgrade(event js.Value) {
	old := event.Get("oldVersion").Int()
	if o.late || o.version == 0 || old != 0 {
		o.made = errNoDatabase
		if old != 0 {
			o.made = fmt.Errorf("%w: the database has version %d, which no program of Pawl has made", kv.ErrForeign, old)
		}
		o.request.Get("transaction").Call("abort")
		return
	}
	db := o.request.Get("result")
	for _, name := range allStores {
		store := db.Call("createObjectStore", name)
		switch name {
		case commitsStore:
			store.Call("createIndex", byID, byID)
		case metaStore:
			store.Call("put", layout, madeBy)
			store.Call("put", int(kv.NewestFormat), formatKey)
		}
	}
}

var errNoDatabase = fmt.Errorf("%w: there is no database", kv.ErrForeign)
