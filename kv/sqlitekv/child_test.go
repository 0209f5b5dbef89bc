//go:build linux || darwin

package sqlitekv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/processes"
)

// argsEnv has the arguments of a role.
const argsEnv = "SQLITEKV_TEST_ARGS"

func TestMain(m *testing.M) {
	all := map[string]processes.Role{
		processes.CountRole: inStore(func(s kv.Store, path string) error { return processes.Count(s, path, nil) }),
		processes.SwapRole:  inStore(processes.Swap),
	}
	for name, role := range roles {
		all[name] = func(path string) error { return role(path, strings.Fields(os.Getenv(argsEnv))) }
	}
	processes.Main(m, all)
}

// inStore is a role in an open store.
func inStore(role func(kv.Store, string) error) processes.Role {
	return func(path string) error {
		s, err := Open(path)
		if err != nil {
			return err
		}
		return role(s, path)
	}
}

// spawn starts a process in a role with arguments.
func spawn(t testing.TB, role, path string, args ...string) *processes.Child {
	t.Helper()
	return processes.Start(t, role, path, argsEnv+"="+strings.Join(args, " "))
}

// roles are what a child does with the store at a path.
var roles = map[string]func(path string, args []string) error{
	"increment": incrementTimes,
	"write":     writeUntilKilled,
	"hammer":    hammer,
	"hold":      holdGate,
	"unsync":    commitUnsynced,
	"open":      openOnly,
	"stop":      stopAt,
}

// incrementTimes increments a number that all share, and prints the losses.
func incrementTimes(path string, args []string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	defer s.Close()
	n, _ := strconv.Atoi(args[0])
	processes.Ready()
	worst, lost, began := 0, 0, time.Now()
	for range n {
		_, losses, err := increment(context.Background(), s, "n")
		if err != nil {
			return err
		}
		worst, lost = max(worst, losses), lost+losses
	}
	fmt.Println("done", n, "losses", lost, "at most", worst, "in", time.Since(began).Round(time.Millisecond))
	return nil
}

// writeUntilKilled prints each key, and its version, that was acknowledged.
func writeUntilKilled(path string, args []string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	processes.Ready()
	for i := 0; ; i++ {
		key := fmt.Sprintf("%s/%d", args[0], i)
		version, err := putOne(s, key, strings.Repeat(key, 1+i%200), i%3 > 0)
		if err != nil {
			return err
		}
		fmt.Println(key, version)
	}
}

// commitUnsynced commits without a sync and prints the last version.
func commitUnsynced(path string, args []string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	processes.Ready()
	n, _ := strconv.Atoi(args[0])
	var version kv.Version
	for i := range n {
		if version, err = putOne(s, fmt.Sprintf("unsynced/%d", i), "v", false); err != nil {
			return err
		}
	}
	fmt.Println(version)
	select {} // until killed
}

// holdGate takes the gate as a commit does, says so, and keeps it.
func holdGate(path string, _ []string) error {
	g := newGate(path)
	if err := <-g.ask(); err != nil {
		return err
	}
	fmt.Println("held")
	bufio.NewReader(os.Stdin).ReadString('\n')
	g.release()
	fmt.Println("released")
	return nil
}

// openOnly opens the store and prints the error.
func openOnly(path string, _ []string) error {
	s, err := Open(path)
	if err != nil {
		fmt.Println(err)
		return nil
	}
	_, err = putOne(s, "k", "v", true)
	fmt.Println("opened", err)
	return s.Close()
}

// hammer commits for a while as fast as it can from some goroutines, durably,
// to keys of its own, and prints how often, and the longest that one took in
// microseconds.
func hammer(path string, args []string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	defer s.Close()
	d, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	writers, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	value := strings.Repeat("v", 500)
	processes.Ready()
	end := time.Now().Add(d)
	var commits, worst atomic.Int64
	var group errgroup.Group
	for w := range writers {
		group.Go(func() error {
			for n := 0; time.Now().Before(end); n++ {
				began := time.Now()
				if _, err := putOne(s, fmt.Sprintf("%s/%d/%d", args[0], w, n%1000), value, true); err != nil {
					return err
				}
				commits.Add(1)
				for took := time.Since(began).Microseconds(); ; {
					longest := worst.Load()
					if took <= longest || worst.CompareAndSwap(longest, took) {
						break
					}
				}
			}
			return nil
		})
	}
	err = group.Wait()
	fmt.Println(commits.Load(), worst.Load())
	return err
}

// increment adds one to the number at a key, taking a turn after some losses,
// and returns the version and how often it lost.
func increment(ctx context.Context, s *Store, key string) (version kv.Version, losses int, err error) {
	for ; ; losses++ {
		var turn kv.Turn
		if losses >= 3 {
			if turn, err = s.Turn(ctx, key); err != nil {
				return 0, losses, err
			}
		}
		version, err = incrementOnce(ctx, s, key, turn.ID)
		if turn.Release != nil {
			turn.Release()
		}
		if !errors.Is(err, kv.ErrConflict) {
			return version, losses, err
		}
	}
}

func incrementOnce(ctx context.Context, s *Store, key string, turn kv.TurnID) (kv.Version, error) {
	snap := s.Snapshot()
	defer snap.Close()
	entries, err := snap.Get(ctx, key)
	if err != nil {
		return 0, err
	}
	began, err := snap.Version(ctx)
	if err != nil {
		return 0, err
	}
	n, _ := strconv.Atoi(string(entries[0].Value))
	return s.Commit(ctx, &kv.Batch{
		ID: kv.NewCommitID(began), Turn: turn, Sync: true,
		Reads:  []kv.Read{{Key: key, Version: entries[0].Version}},
		Writes: []kv.Write{{Key: key, Value: []byte(strconv.Itoa(n + 1))}},
	})
}
