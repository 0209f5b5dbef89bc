//go:build !(linux || darwin || freebsd)

package sharekv

import (
	"context"
	"errors"
	"net"
)

// Listen implements Transport: where the user at the other end of a socket
// cannot be told, it does not.
func (UnixSocket) Listen(*Place) (net.Listener, error) { return nil, errors.ErrUnsupported }

func processOf(net.Conn) int { return 0 }

// Dial implements Transport.
func (UnixSocket) Dial(context.Context, string) (net.Conn, error) { return nil, errors.ErrUnsupported }
