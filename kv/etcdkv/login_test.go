package etcdkv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/pawlkv/pawl/kv"
)

// guard is a server that demands tokens as etcd 3.4 does: also of who asks for one, if he
// has any.
type guard struct {
	pb.UnimplementedKVServer
	pb.UnimplementedAuthServer

	mu       sync.Mutex
	password string
	token    string        // "": none counts
	asked    int           // for tokens
	slow     chan struct{} // nil: not; else calls for tokens wait until it is closed
}

func (g *guard) admits(ctx context.Context) error {
	given := metadata.ValueFromIncomingContext(ctx, rpctypes.TokenFieldNameGRPC)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case len(given) == 0:
		return rpctypes.ErrGRPCUserEmpty
	case len(given) > 1 || given[0] != g.token || g.token == "":
		return rpctypes.ErrGRPCInvalidAuthToken
	}
	return nil
}

// Txn implements pb.KVServer.
func (g *guard) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if err := g.admits(ctx); err != nil {
		return nil, err
	}
	return nothing(r), nil
}

// Authenticate implements pb.AuthServer.
func (g *guard) Authenticate(ctx context.Context, r *pb.AuthenticateRequest) (*pb.AuthenticateResponse, error) {
	g.mu.Lock()
	g.asked++
	slow := g.slow
	g.mu.Unlock()
	if slow != nil {
		<-slow
	}
	if err := g.admits(ctx); errors.Is(err, rpctypes.ErrGRPCInvalidAuthToken) {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Password != g.password {
		return nil, rpctypes.ErrGRPCAuthFailed
	}
	g.token = fmt.Sprint("token ", g.asked)
	return &pb.AuthenticateResponse{Token: g.token}, nil
}

func (g *guard) change(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

const password = "the user's secret"

// guarded starts a guard, and opens a store as its user.
func guarded(t *testing.T, wait time.Duration) (*guard, *Store) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &guard{password: password}
	server := grpc.NewServer()
	pb.RegisterKVServer(server, g)
	pb.RegisterAuthServer(server, g)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return g, storeBy(t, clientv3.Config{Endpoints: []string{l.Addr().String()}, Username: "app", Password: password, DialTimeout: long}, wait)
}

func reads(t *testing.T, s *Store) error {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	_, err := snap.Version(t.Context())
	return err
}

// TestForgottenToken: who has a token that a member has forgotten gets another, though the
// old one must not be shown for that; all who wait get the same one.
func TestForgottenToken(t *testing.T) {
	g, s := guarded(t, long)
	if err := reads(t, s); err != nil {
		t.Fatal(err)
	}
	g.change(func() { g.token = "" })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := reads(t, s); err != nil {
				t.Errorf("a read after the token was forgotten: %v", err)
			}
		})
	}
	all.Wait()
	if g.asked != 2 {
		t.Errorf("%d tokens were asked for, want 2", g.asked)
	}
	g.change(func() { g.token, g.password = "", "another" })
	for _, err := range []error{reads(t, s), func() error { _, err := s.Commit(t.Context(), oneWrite()); return err }()} {
		if !errors.Is(err, kv.ErrUnusable) || strings.Contains(err.Error(), password) {
			t.Errorf("after the password was changed: %v, want %v, which does not tell it", err, kv.ErrUnusable)
		}
	}
	for _, shown := range []string{fmt.Sprintf("%v %+v", s.db, &s.db.login), fmt.Sprintf("%#v", s.db)} {
		if strings.Contains(shown, password) || strings.Contains(shown, "token 2") {
			t.Errorf("the database shows its secrets: %s", shown)
		}
	}
}

// TestSlowLogin: a member that takes longer to compare a password than any call waits is
// asked once, and what waits meanwhile is refused.
func TestSlowLogin(t *testing.T) {
	g, s := guarded(t, short)
	slow := make(chan struct{})
	g.change(func() { g.token, g.slow = "", slow })
	for range 3 {
		if _, err := s.Commit(t.Context(), oneWrite()); kv.OutcomeOf(err) != kv.Unsent {
			t.Errorf("a commit: %v, want it unsent", err)
		}
	}
	close(slow)
	for late := time.Now().Add(long); ; {
		err := reads(t, s)
		if err == nil {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("a read: %v", err)
		}
	}
	if g.asked != 2 {
		t.Errorf("%d tokens were asked for, want 2", g.asked)
	}
}
