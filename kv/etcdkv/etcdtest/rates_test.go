package etcdtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
)

// BenchmarkCommit compares a commit (one read checked, two values of 250 bytes) with the
// same transaction made by the bare client (one compare, the ID, two puts), and with a plain
// put of as many bytes, on three members that sync:
//
//	go test -run '^$' -bench Commit
func BenchmarkCommit(b *testing.B) {
	durable := Newest()
	durable.args = nil
	c := Start(b, durable, 3)
	value := make([]byte, 250)
	rand.Read(value)
	db, err := etcdkv.Open(b.Context(), clientv3.Config{Endpoints: c.Endpoints()})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for _, writers := range []int{1, 64} {
		store, err := db.Store(b.Context(), rand.Text())
		if err != nil {
			b.Fatal(err)
		}
		client := c.Connect(b)
		each := func(name string, one func(ctx context.Context, key string, last int64) (int64, error)) {
			b.Run(fmt.Sprintf("%s/%d", name, writers), func(b *testing.B) { atOnce(b, writers, one) })
		}
		each("pawl", func(ctx context.Context, key string, last int64) (int64, error) {
			version, err := store.Commit(ctx, &kv.Batch{
				ID: kv.NewCommitID(kv.Version(last)), Sync: true, Reads: []kv.Read{{Key: key, Version: kv.Version(last)}},
				Writes: []kv.Write{{Key: key, Value: value}, {Key: key + "/2", Value: value}},
			})
			return int64(version), err
		})
		each("bare", func(ctx context.Context, key string, last int64) (int64, error) {
			done, err := client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", last)).Then(
				clientv3.OpPut("id/"+rand.Text(), "a"), clientv3.OpPut(key, string(value)), clientv3.OpPut(key+"/2", string(value)),
			).Commit()
			if err != nil || !done.Succeeded {
				return 0, fmt.Errorf("the bare transaction: %v, %w", done, err)
			}
			return done.Header.Revision, nil
		})
		each("put", func(ctx context.Context, key string, _ int64) (int64, error) {
			_, err := client.Put(ctx, key, string(value)+string(value))
			return 0, err
		})
		store.Close()
	}
}

// atOnce has writers write, each a key of its own.
func atOnce(b *testing.B, writers int, one func(context.Context, string, int64) (int64, error)) {
	var working sync.WaitGroup
	run := rand.Text()
	for w := range writers {
		working.Go(func() {
			key, last := fmt.Sprintf("%s/%d", run, w), int64(0)
			for range (b.N + writers - 1) / writers {
				var err error
				if last, err = one(b.Context(), key, last); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	working.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}
