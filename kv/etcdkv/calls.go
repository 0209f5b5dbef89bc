package etcdkv

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/pawlkv/pawl/kv"
)

// sentKey leads to the mark of a call's context that tells whether anything of it was
// sent.
type sentKey struct{}

// sentHandler sets the mark when a call has found a connection and its headers are
// written. A call that fails before that is certainly not applied.
type sentHandler struct{}

func (sentHandler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (sentHandler) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if _, written := s.(*stats.OutHeader); !written {
		return
	}
	if mark, marked := ctx.Value(sentKey{}).(*atomic.Bool); marked {
		mark.Store(true)
	}
}

func (sentHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (sentHandler) HandleConn(context.Context, stats.ConnStats) {}

// once sends a transaction, once, and tells of one that failed whether anything of it was
// sent. A member that has no leader refuses it at once.
func (db *Database) once(ctx context.Context, request *pb.TxnRequest) (response *pb.TxnResponse, sent bool, err error) {
	var mark atomic.Bool
	ctx = context.WithValue(clientv3.WithRequireLeader(ctx), sentKey{}, &mark)
	response, err = db.kv.Txn(ctx, request, db.calls...)
	return response, mark.Load(), err
}

// Pauses between two tries of what was refused for now.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 320 * time.Millisecond
)

// pause waits before the next try and reports whether there is one.
func pause(ctx context.Context, try int) bool {
	timer := time.NewTimer(min(firstPause<<min(try, 8), lastPause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// read makes a transaction that changes nothing, again where another member may answer.
func (db *Database) read(ctx context.Context, request *pb.TxnRequest) (*pb.TxnResponse, error) {
	limited, cancel := context.WithTimeout(ctx, db.set.wait)
	defer cancel()
	for try := 0; ; try++ {
		response, _, err := db.once(limited, request)
		if err == nil {
			return response, nil
		}
		passes := judge(err) == later || judge(err) == unclear && status.Code(err) == codes.Unavailable
		if !passes || !pause(limited, try) {
			return nil, readError(ctx, err)
		}
	}
}

// write makes a transaction that may be made twice, so that it does not matter whether one
// was applied for which there is no room.
func (db *Database) write(ctx context.Context, request *pb.TxnRequest) (*pb.TxnResponse, error) {
	limited, cancel := context.WithTimeout(ctx, db.set.wait)
	defer cancel()
	response, sent, err := db.once(limited, request)
	switch {
	case err == nil:
		return response, nil
	case judge(err) == full:
		return nil, fmt.Errorf("%w: %w", kv.ErrDiskFull, err)
	}
	return nil, commitError(ctx, sent, err)
}
