//go:build !(linux || darwin || freebsd)

package badgerkv

import (
	"context"
	"errors"
	"net"
)

// sharing says whether processes can share a store on this system: not where
// the user at the other end of a socket cannot be told.
const sharing = false

func listen(string) (*net.UnixListener, error) { return nil, errors.ErrUnsupported }

func dial(context.Context, string) (net.Conn, error) { return nil, errors.ErrUnsupported }

func checkPeer(*net.UnixConn) error { return errors.ErrUnsupported }
