package sharekv

import (
	"context"
	"fmt"
	"net"

	"github.com/pawlkv/pawl/kv"
)

// Transport carries connections between the processes that share a store. Its
// connections need deadlines, as those of package net have them. Both methods
// return errors.ErrUnsupported where processes cannot share a store: then a
// second one gets kv.ErrInUse.
type Transport interface {
	// Listen makes this process reachable as the owner of a place, instead of
	// one before it. Accept may return ErrStranger, and goes on after it.
	Listen(place *Place) (net.Listener, error)

	// Dial connects to the owner of the store in a directory.
	Dial(ctx context.Context, dir string) (net.Conn, error)
}

// ErrStranger: the owner, or who wants to connect to it, is another user. To a
// caller it is a kv.ErrUnusable.
var ErrStranger = fmt.Errorf("%w: it is another user's", kv.ErrUnusable)

// UnixSocket is the Transport by a unix socket in the store's directory. Both
// sides ask the system who is at the other end. It works on Linux, Android,
// macOS and FreeBSD.
type UnixSocket struct{}
