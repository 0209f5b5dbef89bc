package etcdkv

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/pawlkv/pawl/kv"
)

// fake is a server that answers transactions as a test says, and counts those that write.
type fake struct {
	pb.UnimplementedKVServer
	listener *cutter
	answer   func(*pb.TxnRequest) (*pb.TxnResponse, error)

	mu     sync.Mutex
	writes int
}

// Txn implements pb.KVServer.
func (f *fake) Txn(_ context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if writes(r) {
		f.mu.Lock()
		f.writes++
		f.mu.Unlock()
	}
	return f.answer(r)
}

func writes(r *pb.TxnRequest) bool {
	for _, op := range r.Success {
		if op.GetRequestRange() == nil {
			return true
		}
	}
	return false
}

func (f *fake) counted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

// cutter is a listener whose connections can all be cut.
type cutter struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cutter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

const fakeCluster = 7

// serve starts a fake server and opens a store on it.
func serve(t *testing.T, wait time.Duration, answer func(*pb.TxnRequest) (*pb.TxnResponse, error)) (*fake, *Store) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{listener: &cutter{Listener: l}, answer: answer}
	server := grpc.NewServer()
	pb.RegisterKVServer(server, f)
	go server.Serve(f.listener)
	t.Cleanup(server.Stop)
	return f, storeAt(t, l.Addr().String(), wait)
}

// storeAt is a store at an address that is not asked what is in it.
func storeAt(t *testing.T, address string, wait time.Duration) *Store {
	t.Helper()
	return storeBy(t, clientv3.Config{Endpoints: []string{address}}, wait)
}

func storeBy(t *testing.T, config clientv3.Config, wait time.Duration) *Store {
	t.Helper()
	db, err := Open(t.Context(), config, WithWait(wait))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := newStore(db, "s\x00", state{
		meta:    &mvccpb.KeyValue{Value: encode(meta{Pawl: metaName, Format: 1, CommitIDs: 100}), CreateRevision: 1},
		epoch:   &mvccpb.KeyValue{Value: encode(epoch{Number: 1}), ModRevision: 1},
		cluster: fakeCluster, revision: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// applied answers a commit as etcd does.
func applied() *pb.TxnResponse {
	return &pb.TxnResponse{
		Header: &pb.ResponseHeader{ClusterId: fakeCluster, Revision: 5}, Succeeded: true,
		Responses: []*pb.ResponseOp{{Response: &pb.ResponseOp_ResponsePut{ResponsePut: &pb.PutResponse{}}}},
	}
}

// nothing answers a read of what a store without content holds.
func nothing(r *pb.TxnRequest) *pb.TxnResponse {
	out := &pb.TxnResponse{Header: &pb.ResponseHeader{ClusterId: fakeCluster, Revision: 5}, Succeeded: true}
	for _, op := range r.Success {
		found := &pb.RangeResponse{}
		if string(op.GetRequestRange().GetKey()) == "s\x00e" {
			found.Kvs = []*mvccpb.KeyValue{{Value: encode(epoch{Number: 1}), ModRevision: 1}}
		}
		out.Responses = append(out.Responses, &pb.ResponseOp{Response: &pb.ResponseOp_ResponseRange{ResponseRange: found}})
	}
	return out
}

func oneWrite() *kv.Batch {
	return &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k", Value: []byte("v")}}, Sync: true}
}
