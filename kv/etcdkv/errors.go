package etcdkv

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pawlkv/pawl/kv"
)

// verdict is what an error of etcd's says about the request that it answers.
type verdict int

const (
	unclear   verdict = iota // it may have been applied, or be applied later
	later                    // it was refused, and would be taken at another time or by another member
	full                     // there is no room; that it was not applied is not said
	tooLarge                 // it was refused: the server takes less than this engine was told
	forbidden                // it was refused, until somebody changes the server's users
	damaged                  // it was refused: the members do not agree
	gone                     // what was to be read is compacted, or never was
	foreign                  // what answers is no etcd
)

// answers are the errors that say more than that the outcome is unclear. Where a server
// may say the same before and after it has proposed a request to the others, it is not
// here: request timed out, leader changed, server stopped.
//
// "Database space exceeded" is said of a request that was refused, and also of one that
// was applied although it took the database over its quota.
var answers = []struct {
	is   error
	says verdict
}{
	{rpctypes.ErrNoLeader, later}, // said by who looks before it takes a request
	{rpctypes.ErrTooManyRequests, later},
	{rpctypes.Error(rpctypes.ErrGRPCNotSupportedForLearner), later},
	{rpctypes.ErrNotCapable, later},
	{rpctypes.ErrInvalidAuthToken, later}, // the client library fetches another
	{rpctypes.ErrAuthOldRevision, later},
	{rpctypes.ErrNoSpace, full},
	{rpctypes.ErrRequestTooLarge, tooLarge},
	{rpctypes.ErrTooManyOps, tooLarge},
	{rpctypes.ErrPermissionDenied, forbidden},
	{rpctypes.ErrUserEmpty, forbidden},
	{rpctypes.ErrAuthFailed, forbidden},
	{rpctypes.ErrPermissionNotGranted, forbidden},
	{rpctypes.ErrCorrupt, damaged},
	{rpctypes.ErrCompacted, gone},
	{rpctypes.ErrFutureRev, gone},
}

// judge returns what an error says.
func judge(err error) verdict {
	said := rpctypes.Error(err)
	for _, a := range answers {
		if errors.Is(said, a.is) {
			return a.says
		}
	}
	switch {
	case status.Code(err) == codes.Unimplemented:
		return foreign
	case status.Code(err) == codes.ResourceExhausted && strings.Contains(status.Convert(err).Message(), "larger than max"):
		return tooLarge // said by gRPC, of a message that it has not read
	}
	return unclear
}

// refused returns the error for a request that was certainly not applied, nil if it may
// have been, or may be later.
func refused(err error) error {
	switch judge(err) {
	case later:
		return fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
	case tooLarge:
		return fmt.Errorf("%w: etcd takes less than this store was told (WithMaxOps, WithMaxRequestBytes): %w", kv.ErrTooLarge, err)
	case forbidden:
		return fmt.Errorf("%w: etcd does not let this user: %w", kv.ErrUnusable, err)
	case damaged:
		return fmt.Errorf("%w: etcd says that its members differ: %w", kv.ErrCorrupt, err)
	case foreign:
		return fmt.Errorf("%w: what answers is no etcd: %w", kv.ErrForeign, err)
	}
	return nil
}

// commitError returns the outcome of a commit whose transaction failed. Nothing is known
// of what was sent unless etcd says it.
func commitError(ctx context.Context, sent bool, err error) error {
	switch why := refused(err); {
	case why != nil:
		return why
	case !sent && ctx.Err() != nil:
		return ctx.Err()
	case !sent:
		return fmt.Errorf("%w: etcd could not be reached: %w", kv.ErrUnavailable, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", kv.ErrUnknown, ctx.Err())
	}
	return fmt.Errorf("%w: %w", kv.ErrUnknown, err)
}

// readError returns the error of a read that failed.
func readError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if judge(err) == gone {
		return fmt.Errorf("%w: etcd has compacted the view: %w", kv.ErrConflict, err)
	}
	if why := refused(err); why != nil {
		return why
	}
	return fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
}

// opening makes an error of connecting one of the kinds of kv.
func opening(err error) error {
	if why := refused(err); why != nil {
		return why
	}
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded), status.Code(err) == codes.Unavailable:
		return fmt.Errorf("%w: etcd could not be reached: %w", kv.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", kv.ErrInvalid, err)
}
