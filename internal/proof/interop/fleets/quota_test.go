//go:build linux

package fleets

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/kv/etcdkv/etcdtest"
)

const (
	quota      = 32 << 20  // of etcd, in bytes
	ballast    = "ballast" // begins the keys that use it up
	piece      = 256 << 10
	mostPieces = 10 * quota / piece
)

// quotaUsedUp is a fault of a cluster: there is so much in it that it takes no more, until
// something is deleted, and what etcd's documentation says is done.
func (s *site) quotaUsedUp(c *etcdtest.Cluster) fault {
	return fault{name: "quota used up", lasts: true, strike: func(*round) blow {
		client := c.Connect(s.T)
		full := s.useUp(client)
		return blow{heal: func() {}, done: func() {
			defer client.Close()
			if full || s.alarmed(client) {
				s.makeRoom(c, client)
			}
		}}
	}}
}

// useUp writes until there is no room, and reports whether there is none: another fault may
// keep it from writing.
func (s *site) useUp(client *clientv3.Client) bool {
	s.Helper()
	text := strings.Repeat("x", piece)
	failed := 0
	for i := range mostPieces {
		ctx, cancel := context.WithTimeout(s.Context(), 2*time.Second)
		_, err := client.Put(ctx, fmt.Sprintf("%s/%d", ballast, i), text)
		cancel()
		if errors.Is(err, rpctypes.ErrNoSpace) {
			return true
		}
		if err == nil {
			continue
		}
		if failed++; failed == 3 {
			s.Logf("the quota cannot be used up now: %v", err)
			return false
		}
	}
	s.Errorf("%d bytes were written with a quota of %d", mostPieces*piece, quota)
	return false
}

// alarmed reports whether the cluster says that there is no room.
func (s *site) alarmed(client *clientv3.Client) (is bool) {
	s.persist("ask for alarms", func(ctx context.Context) error {
		said, err := client.AlarmList(ctx)
		is = err == nil && len(said.Alarms) > 0
		return err
	})
	return is
}

// makeRoom deletes what uses the quota up, and does what etcd's documentation says.
func (s *site) makeRoom(c *etcdtest.Cluster, client *clientv3.Client) {
	s.Helper()
	var revision int64
	s.persist("delete", func(ctx context.Context) error {
		gone, err := client.Delete(ctx, ballast, clientv3.WithPrefix())
		if err == nil {
			revision = gone.Header.Revision
		}
		return err
	})
	s.persist("compact", func(ctx context.Context) error {
		_, err := client.Compact(ctx, revision, clientv3.WithCompactPhysical())
		if errors.Is(err, rpctypes.ErrCompacted) {
			return nil
		}
		return err
	})
	for _, endpoint := range c.Endpoints() {
		s.persist("defragment "+endpoint, func(ctx context.Context) error {
			_, err := client.Defragment(ctx, endpoint)
			return err
		})
	}
	s.persist("disarm", func(ctx context.Context) error {
		said, err := client.AlarmList(ctx)
		if err != nil {
			return err
		}
		for _, alarm := range said.Alarms {
			if alarm.Alarm == pb.AlarmType_NOSPACE {
				_, failed := client.AlarmDisarm(ctx, (*clientv3.AlarmMember)(alarm))
				err = errors.Join(err, failed)
			}
		}
		return err
	})
}

// persist does something until it succeeds.
func (s *site) persist(what string, do func(context.Context) error) {
	s.Helper()
	var err error
	for late := time.Now().Add(ends); time.Now().Before(late); {
		ctx, cancel := context.WithTimeout(s.Context(), 10*time.Second)
		err = do(ctx)
		cancel()
		if err == nil {
			return
		}
	}
	s.Fatalf("%s: %v", what, err)
}
