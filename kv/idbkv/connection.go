//go:build js

package idbkv

import (
	"fmt"
	"syscall/js"

	"github.com/pawlkv/pawl/kv"
)

// connection is an open database, until this program or the browser closes it.
type connection struct {
	db    js.Value
	gone  chan struct{} // closed when nothing can be begun any more
	cause error         // why, set before gone is closed
	lost  bool          // the browser has closed it, whatever was under way
	funcs []js.Func
}

func newConnection(db js.Value) *connection {
	c := &connection{db: db, gone: make(chan struct{})}
	c.on("close", func(js.Value) {
		c.lost = true
		c.end(errLost)
	})
	// Transactions that have begun go on after close() and end as they would.
	c.on("versionchange", func(event js.Value) {
		if event.Get("newVersion").IsNull() {
			c.end(kv.ErrDeleted)
		} else {
			c.end(kv.ErrSuperseded)
		}
	})
	return c
}

func (c *connection) on(event string, call func(event js.Value)) {
	f := js.FuncOf(func(_ js.Value, args []js.Value) any {
		call(args[0])
		return nil
	})
	c.funcs = append(c.funcs, f)
	c.db.Set("on"+event, f)
}

// end closes the connection, because of cause.
func (c *connection) end(cause error) {
	if c.isGone() {
		return
	}
	c.cause = cause
	close(c.gone)
	c.db.Call("close")
}

func (c *connection) isGone() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// why returns why no transaction could be begun.
func (c *connection) why(err error) error {
	switch {
	case err == nil:
		return nil
	case c.isGone():
		return c.cause
	case isThrown(err, "InvalidStateError"): // it is closing, and its event is on the way
		c.lost = true
		c.end(errLost)
		return errLost
	case isThrown(err, "NotFoundError"):
		return fmt.Errorf("%w: an object store is missing: %w", kv.ErrCorrupt, err)
	}
	return fmt.Errorf("%w: %w", kv.ErrUnusable, err)
}
