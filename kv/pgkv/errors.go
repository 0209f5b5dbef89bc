package pgkv

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pawlkv/pawl/kv"
)

// refusals are the errors by which a server says that a statement did nothing, by their
// codes: five characters, or the two of a class. What is in neither is
// kv.ErrUnusable.
var refusals = map[string]struct {
	kind error
	what string
}{
	"53100": {kv.ErrDiskFull, "the disk of the server is full"},
	"53":    {kv.ErrUnavailable, "the server has too little of something"},
	"53300": {kv.ErrUnavailable, "the server takes no more connections: raise max_connections, or make the pools smaller"},
	"55P03": {kv.ErrUnavailable, "somebody holds the space for longer than lock_timeout"},
	"57014": {kv.ErrUnavailable, "the statement was cancelled, or took longer than statement_timeout"},
	"57":    {kv.ErrUnavailable, "the server is starting or stopping"},
	"40":    {kv.ErrUnavailable, "the server gave the transaction up"},
	"08":    {kv.ErrUnavailable, "the connection failed"},
	"25006": {kv.ErrUnavailable, "the server is a standby, or read-only: connect to the primary (target_session_attrs=read-write)"},
	"XX001": {kv.ErrCorrupt, "the server has found damaged data"},
	"XX002": {kv.ErrCorrupt, "the server has found a damaged index"},
	"28":    {kv.ErrUnusable, "the server does not let this user in"},
	"42501": {kv.ErrUnusable, "rights are missing: see docs/postgresql.md for those that are needed"},
	"3D000": {kv.ErrUnusable, "there is no such database"},
	"3F000": {kv.ErrUnusable, "the schema is gone"},
	"42P01": {kv.ErrUnusable, "a table of the schema is gone"},
	"42883": {kv.ErrUnusable, "a function of the schema is gone: a newer program may have raised it, which this one is too old for"},
	"PW001": {kv.ErrUnusable, "the settings of the server or of this user are not those that commits need"},
	"PW003": {kv.ErrUnusable, "the server was promoted, restored or replaced: open the store again, and recover what it says"},
	"PW002": {kv.ErrUnusable, "the space is a synchronous one, and the server does not wait for standbys"},
}

// refused is what an error of the server means that it has given instead of doing
// anything.
func refused(e *pgconn.PgError) error {
	r, known := refusals[e.Code]
	if !known && len(e.Code) == 5 {
		r, known = refusals[e.Code[:2]]
	}
	if !known {
		r.kind, r.what = kv.ErrUnusable, "the server refused the statement"
	}
	return fmt.Errorf("%w: %s (%s: %s)", r.kind, r.what, e.Code, e.Message)
}

// notConnected is why there is no connection: nothing was sent. Its text names the
// user, the database and the host at most.
func notConnected(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused(e)
	}
	return fmt.Errorf("%w: no connection to the server: %s", kv.ErrUnavailable, err)
}

// lost is what is known of a statement without an answer.
func lost(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		if e.SeverityUnlocalized == "ERROR" {
			return refused(e)
		}
		return fmt.Errorf("%w: the server ended the connection (%s: %s)", kv.ErrUnknown, e.Code, e.Message)
	}
	if pgconn.SafeToRetry(err) {
		return fmt.Errorf("%w: the connection was lost before anything was sent: %s", kv.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: the connection was lost after the statement was sent: %s", kv.ErrUnknown, err)
}

// errNotReplicated: somebody has cancelled the wait for standbys, and the commit is on
// the primary alone.
var errNotReplicated = fmt.Errorf("%w: the wait for standbys was cancelled: the commit may not be on any", kv.ErrUnknown)

// ofRead makes the error of a statement that changes nothing one of reads: what
// is unknown of it does not matter.
func ofRead(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, kv.ErrUnknown):
		return fmt.Errorf("%w: %s", kv.ErrUnavailable, err)
	}
	return err
}

// ofCommit adds the context's error where that is why nothing is known, and
// where it is certain that nothing was applied returns it alone.
func ofCommit(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case errors.Is(err, kv.ErrUnknown):
		return fmt.Errorf("%w: %w", err, ctx.Err())
	}
	return ctx.Err()
}
