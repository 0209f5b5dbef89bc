package etcdkv

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// login is who the client is to etcd: a user, whose password a token stands for. A member
// forgets tokens when it is started again, or after a while.
//
// The client library would fetch another by a call that has the old one with it, which
// etcd 3.4 refuses like any other: it would try that until the call's deadline, each time,
// and come back never. Here the call for a token has none with it; one is made at a time,
// since comparing a password takes a member a tenth of a second; and it goes on when the
// call that needed it is over, so that a slow member has answered some time.
type login struct {
	ask   func(context.Context) (token string, err error) // knows the password
	token atomic.Pointer[string]

	mu     sync.Mutex
	asking *asking // nil: nobody asks
}

// asking is one call for a token.
type asking struct {
	done chan struct{}
	err  error
}

// loginTime is how long a member may take to compare a password.
const loginTime = time.Minute

var _ credentials.PerRPCCredentials = (*login)(nil)

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (l *login) GetRequestMetadata(_ context.Context, uri ...string) (map[string]string, error) {
	token := l.now()
	if token == "" || len(uri) > 0 && strings.HasSuffix(uri[0], "/etcdserverpb.Auth") {
		return nil, nil
	}
	return map[string]string{rpctypes.TokenFieldNameGRPC: token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. Whether there is any is
// the program's choice, as it is with the client library.
func (l *login) RequireTransportSecurity() bool { return false }

// now is the token, "" for none.
func (l *login) now() string {
	if token := l.token.Load(); token != nil {
		return *token
	}
	return ""
}

// as makes the connection's calls those of a user.
func (l *login) as(user, password string, conn grpc.ClientConnInterface, options []grpc.CallOption) {
	auth := pb.NewAuthClient(conn)
	l.ask = func(ctx context.Context) (string, error) {
		said, err := auth.Authenticate(ctx, &pb.AuthenticateRequest{Name: user, Password: password}, options...)
		if errors.Is(rpctypes.Error(err), rpctypes.ErrAuthNotEnabled) {
			return "", nil
		}
		return said.GetToken(), err
	}
}

// refresh fetches a token in place of one that is not taken any more.
func (l *login) refresh(ctx context.Context, old string) error {
	l.mu.Lock()
	if l.now() != old {
		l.mu.Unlock()
		return nil // somebody has
	}
	if l.asking == nil {
		l.asking = &asking{done: make(chan struct{})}
		go l.fetch(l.asking)
	}
	asked := l.asking
	l.mu.Unlock()
	select {
	case <-asked.done:
		return asked.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *login) fetch(a *asking) {
	defer close(a.done)
	ctx, cancel := context.WithTimeout(context.Background(), loginTime)
	defer cancel()
	token, err := l.ask(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.err = err; err == nil {
		l.token.Store(&token)
	}
	l.asking = nil
}

// intercept fetches a token when a call says that its own is not taken, or that it needs
// one. The call fails all the same: it was certainly refused, and who made it may try again.
func (l *login) intercept(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, next grpc.UnaryInvoker, options ...grpc.CallOption) error {
	old := l.now()
	err := next(ctx, method, request, reply, conn, options...)
	if l.ask == nil || strings.HasPrefix(method, "/etcdserverpb.Auth/") || !needsToken(err) {
		return err
	}
	if failed := l.refresh(ctx, old); failed != nil && judge(failed) == forbidden {
		return failed
	}
	return rpctypes.ErrGRPCInvalidAuthToken
}

func needsToken(err error) bool {
	if err == nil {
		return false
	}
	said := rpctypes.Error(err)
	return errors.Is(said, rpctypes.ErrInvalidAuthToken) || errors.Is(said, rpctypes.ErrAuthOldRevision) || errors.Is(said, rpctypes.ErrUserEmpty)
}
