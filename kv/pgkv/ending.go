package pgkv

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// boundEnding bounds what pgx does with a connection whose call has ended before its
// answer: it asks the server to cancel the statement, on a connection made for that, and
// then waits for the server's end of the first one; 15 s for both by itself. The
// connection has its place in the pool meanwhile. A pooler that has no session to give
// answers neither, and PgBouncer gives each session that it makes to one of those requests
// before it gives one to a statement: after a fault the places of a process would come
// free only while new calls take them in the same way.
func boundEnding(config *pgxpool.Config) {
	before, bound := config.BeforeConnect, config.PingTimeout
	config.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
		if before != nil {
			if err := before(ctx, c); err != nil {
				return err
			}
		}
		var made atomic.Bool // what is dialled from then on is to cancel
		dial, after := c.DialFunc, c.AfterConnect
		c.AfterConnect = func(ctx context.Context, pg *pgconn.PgConn) error {
			made.Store(true)
			if after != nil {
				return after(ctx, pg)
			}
			return nil
		}
		c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			if made.Load() {
				return dialToCancel(ctx, dial, network, address, bound)
			}
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return endingConn{conn, bound}, nil
		}
		return nil
	}
}

// dialToCancel makes a connection that lasts no longer than a bound.
func dialToCancel(ctx context.Context, dial pgconn.DialFunc, network, address string, bound time.Duration) (net.Conn, error) {
	until := time.Now().Add(bound)
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(until); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// endingConn has no deadline that is further away than a bound: pgx sets one in the future
// only where it ends the connection. A call's end is one in the past.
type endingConn struct {
	net.Conn
	bound time.Duration
}

func (c endingConn) SetDeadline(t time.Time) error {
	if latest := time.Now().Add(c.bound); t.After(latest) {
		t = latest
	}
	return c.Conn.SetDeadline(t)
}
