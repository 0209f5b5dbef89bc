package etcdkv

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pawlkv/pawl/kv"
)

const (
	long  = 30 * time.Second
	short = time.Second // a busy machine takes a while to connect
)

// The table of docs/etcd.md: what etcd says to a commit that was sent, what it comes to, and
// whether it is sent again before.
var outcomes = []struct {
	name    string
	says    error
	outcome kv.Outcome
	is      error
	again   bool
}{
	{"no leader", rpctypes.ErrGRPCNoLeader, kv.Unsent, kv.ErrUnavailable, true},
	{"too many requests", rpctypes.ErrGRPCRequestTooManyRequests, kv.Unsent, kv.ErrUnavailable, true},
	{"a learner", rpctypes.ErrGRPCNotSupportedForLearner, kv.Unsent, kv.ErrUnavailable, true},
	{"not capable", rpctypes.ErrGRPCNotCapable, kv.Unsent, kv.ErrUnavailable, true},
	{"old token", rpctypes.ErrGRPCInvalidAuthToken, kv.Unsent, kv.ErrUnavailable, true},
	{"old revision of users", rpctypes.ErrGRPCAuthOldRevision, kv.Unsent, kv.ErrUnavailable, true},
	{"no space, and it was not applied", rpctypes.ErrGRPCNoSpace, kv.NotApplied, kv.ErrDiskFull, false},
	{"request too large", rpctypes.ErrGRPCRequestTooLarge, kv.NotApplied, kv.ErrTooLarge, false},
	{"message too large", status.Error(codes.ResourceExhausted, "grpc: received message larger than max (3 vs. 2)"), kv.NotApplied, kv.ErrTooLarge, false},
	{"too many operations", rpctypes.ErrGRPCTooManyOps, kv.NotApplied, kv.ErrTooLarge, false},
	{"permission denied", rpctypes.ErrGRPCPermissionDenied, kv.NotApplied, kv.ErrUnusable, false},
	{"no user", rpctypes.ErrGRPCUserEmpty, kv.NotApplied, kv.ErrUnusable, false},
	{"wrong password", rpctypes.ErrGRPCAuthFailed, kv.NotApplied, kv.ErrUnusable, false},
	{"permission not granted", rpctypes.ErrGRPCPermissionNotGranted, kv.NotApplied, kv.ErrUnusable, false},
	{"members differ", rpctypes.ErrGRPCCorrupt, kv.NotApplied, kv.ErrCorrupt, false},
	{"no etcd", status.Error(codes.Unimplemented, "unknown service"), kv.NotApplied, kv.ErrForeign, false},

	{"timed out", rpctypes.ErrGRPCTimeout, kv.Unknown, kv.ErrUnknown, false},
	{"timed out as the leader failed", rpctypes.ErrGRPCTimeoutDueToLeaderFail, kv.Unknown, kv.ErrUnknown, false},
	{"timed out as a connection was lost", rpctypes.ErrGRPCTimeoutDueToConnectionLost, kv.Unknown, kv.ErrUnknown, false},
	{"timed out while it was applied", rpctypes.ErrGRPCTimeoutWaitAppliedIndex, kv.Unknown, kv.ErrUnknown, false},
	{"leader changed", rpctypes.ErrGRPCLeaderChanged, kv.Unknown, kv.ErrUnknown, false},
	{"not leader", rpctypes.ErrGRPCNotLeader, kv.Unknown, kv.ErrUnknown, false},
	{"server stopped", rpctypes.ErrGRPCStopped, kv.Unknown, kv.ErrUnknown, false},
	{"unhealthy", rpctypes.ErrGRPCUnhealthy, kv.Unknown, kv.ErrUnknown, false},
	{"cancelled by the server", rpctypes.ErrGRPCCanceled, kv.Unknown, kv.ErrUnknown, false},
	{"the server's deadline", rpctypes.ErrGRPCDeadlineExceeded, kv.Unknown, kv.ErrUnknown, false},
	{"proposal dropped", status.Error(codes.Unknown, "raft proposal dropped"), kv.Unknown, kv.ErrUnknown, false},
	{"calm down", status.Error(codes.ResourceExhausted, "stream terminated by RST_STREAM"), kv.Unknown, kv.ErrUnknown, false},
	{"internal", status.Error(codes.Internal, "something"), kv.Unknown, kv.ErrUnknown, false},
	{"unavailable", status.Error(codes.Unavailable, "error reading from server: EOF"), kv.Unknown, kv.ErrUnknown, false},
}

func TestOutcomesOfErrors(t *testing.T) {
	for _, row := range outcomes {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f, s := serve(t, short, func(r *pb.TxnRequest) (*pb.TxnResponse, error) {
				if writes(r) {
					return nil, row.says
				}
				return nothing(r), nil
			})
			_, err := s.Commit(t.Context(), oneWrite())
			for n := 1; row.again && status.Code(err) == codes.DeadlineExceeded && n < 20; n++ {
				_, err = s.Commit(t.Context(), oneWrite()) // the deadline came while it was sent once more: truly unknown
			}
			if !errors.Is(err, row.is) || kv.OutcomeOf(err) != row.outcome {
				t.Errorf("a commit: %v (%v), want %v (%v)", err, kv.OutcomeOf(err), row.is, row.outcome)
			}
			if n := f.counted(); (n > 1) != row.again || n == 0 {
				t.Errorf("it was sent %d times, again: %v", n, row.again)
			}
		})
	}
}

// TestRefusedForNow: what was certainly refused is sent again, and may be applied then.
func TestRefusedForNow(t *testing.T) {
	first := true
	f, s := serve(t, long, func(*pb.TxnRequest) (*pb.TxnResponse, error) {
		if first {
			first = false
			return nil, rpctypes.ErrGRPCNoLeader
		}
		return applied(), nil
	})
	version, err := s.Commit(t.Context(), oneWrite())
	if version != 5 || err != nil || f.counted() != 2 {
		t.Errorf("version %d, %v after %d requests, want 5 after 2", version, err, f.counted())
	}
}

// TestCutAfterRequest: a commit whose connection is cut when etcd has it is sent once.
func TestCutAfterRequest(t *testing.T) {
	var f *fake
	f, s := serve(t, long, func(*pb.TxnRequest) (*pb.TxnResponse, error) {
		f.listener.cut()
		return applied(), nil
	})
	_, err := s.Commit(t.Context(), oneWrite())
	if kv.OutcomeOf(err) != kv.Unknown || f.counted() != 1 {
		t.Errorf("%v after %d requests, want it unknown after 1", err, f.counted())
	}
}

// TestNobodyAnswers: a commit that finds no server was certainly not sent.
func TestNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s := storeAt(t, l.Addr().String(), short)
	if _, err := s.Commit(t.Context(), oneWrite()); kv.OutcomeOf(err) != kv.Unsent {
		t.Errorf("%v, want it unsent", err)
	}
	snap := s.Snapshot()
	defer snap.Close()
	if _, err := snap.Get(t.Context(), "k"); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("a read: %v, want %v", err, kv.ErrUnavailable)
	}
}

// TestDeadline: a commit that is not answered is unknown when the wait is over, though its
// caller has no deadline; one whose caller gives up says so too.
func TestDeadline(t *testing.T) {
	arrived, over := make(chan struct{}, 2), make(chan struct{})
	t.Cleanup(func() { close(over) })
	_, s := serve(t, short, func(*pb.TxnRequest) (*pb.TxnResponse, error) {
		arrived <- struct{}{}
		<-over
		return nil, rpctypes.ErrGRPCStopped
	})
	if _, err := s.Commit(t.Context(), oneWrite()); kv.OutcomeOf(err) != kv.Unknown {
		t.Errorf("%v, want it unknown", err)
	}
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, err := s.Commit(ctx, oneWrite()); kv.OutcomeOf(err) != kv.Unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want it unknown, with %v", err, context.Canceled)
	}
}

// TestAnotherCluster: an answer of another cluster, or of an older state, is none.
func TestAnotherCluster(t *testing.T) {
	for name, row := range map[string]struct {
		header         *pb.ResponseHeader
		revision, head int64 // that were seen
	}{
		"another cluster":  {&pb.ResponseHeader{ClusterId: fakeCluster + 1, Revision: 9}, 4, 0},
		"an older state":   {&pb.ResponseHeader{ClusterId: fakeCluster, Revision: 3}, 4, 0},
		"an older version": {&pb.ResponseHeader{ClusterId: fakeCluster, Revision: 9}, 4, 4},
	} {
		_, s := serve(t, short, func(r *pb.TxnRequest) (*pb.TxnResponse, error) {
			out := nothing(r)
			out.Header = row.header
			return out, nil
		})
		s.revision.Store(row.revision)
		s.head.Store(row.head)
		snap := s.Snapshot()
		if _, err := snap.Version(t.Context()); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("%s: a view: %v, want %v", name, err, kv.ErrUnusable)
		}
		snap.Close()
		if _, err := s.Commit(t.Context(), &kv.Batch{}); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("%s: a commit without writes: %v, want %v", name, err, kv.ErrUnusable)
		}
	}
}

// TestReadsOfErrors: a view that is compacted, or of a past that etcd does not have, is gone.
func TestReadsOfErrors(t *testing.T) {
	for _, row := range []struct{ says, is error }{
		{rpctypes.ErrGRPCCompacted, kv.ErrConflict},
		{rpctypes.ErrGRPCFutureRev, kv.ErrConflict},
		{rpctypes.ErrGRPCPermissionDenied, kv.ErrUnusable},
		{rpctypes.ErrGRPCCorrupt, kv.ErrCorrupt},
		{rpctypes.ErrGRPCTimeout, kv.ErrUnavailable},
		{status.Error(codes.Unimplemented, "unknown service"), kv.ErrForeign},
	} {
		_, s := serve(t, short, func(*pb.TxnRequest) (*pb.TxnResponse, error) { return nil, row.says })
		snap := s.Snapshot()
		if _, err := snap.Get(t.Context(), "k"); !errors.Is(err, row.is) {
			t.Errorf("%v: %v, want %v", row.says, err, row.is)
		}
		snap.Close()
	}
}

// TestNoSpaceButApplied: etcd says that there is no room also of what it has applied.
func TestNoSpaceButApplied(t *testing.T) {
	for mark, want := range map[string]kv.Outcome{"a": kv.Applied, "r": kv.Conflict} {
		_, s := serve(t, short, func(r *pb.TxnRequest) (*pb.TxnResponse, error) {
			if writes(r) {
				return nil, rpctypes.ErrGRPCNoSpace
			}
			out := nothing(r)
			for i, op := range r.Success {
				if key := op.GetRequestRange().Key; strings.HasPrefix(string(key), "s\x00i") {
					out.Responses[i].GetResponseRange().Kvs = []*mvccpb.KeyValue{{Key: key, Value: []byte(mark), ModRevision: 5}}
				}
			}
			return out, nil
		})
		version, err := s.Commit(t.Context(), oneWrite())
		if kv.OutcomeOf(err) != want || err == nil && version != 5 {
			t.Errorf("recorded as %q: version %d, %v, want %v", mark, version, err, want)
		}
	}
}
