package turns_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// enter begins a commit that is on its way until it leaves.
func enter(t *testing.T, table *turns.Table, b *kv.Batch) (leave func()) {
	t.Helper()
	leave, err := table.Enter(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

func TestAWholeTurnWaitsForCommitsOnTheirWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := turns.New(life, nil)
		one, two := enter(t, table, writes(0, "a")), enter(t, table, writes(0, "b"))
		var whole kv.Turn
		granted := later(func() { whole = take(t, table) })
		one()
		synctest.Wait()
		if granted() {
			t.Fatal("granted while a commit is on its way")
		}
		passed := later(func() { enter(t, table, writes(0, "c"))() })
		two()
		synctest.Wait()
		if !granted() || passed() {
			t.Fatalf("granted %v, a commit that came later passed %v; want the turn alone", granted(), passed())
		}
		if began := time.Now(); wait(t.Context(), table, writes(whole.ID, "a")) != nil || time.Since(began) != 0 {
			t.Error("the holder's own commit waited")
		}
		whole.Release()
		synctest.Wait()
		if !passed() {
			t.Error("a commit waits for a turn that is over")
		}
	})
}

// A commit that hangs holds up a turn on the whole store no longer than another
// turn would.
func TestAWholeTurnWaitsForACommitAsLongAsForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := turns.New(life, nil)
		leave := enter(t, table, writes(0, "a"))
		began := time.Now()
		take(t, table)
		if waited := time.Since(began); waited != life {
			t.Errorf("granted after %v, want %v", waited, life)
		}
		leave()
		take(t, table)
		if waited := time.Since(began); waited != 2*life {
			t.Errorf("the next was granted after %v, want %v: the first lasts from when it was granted", waited, 2*life)
		}
	})
}

func TestAWholeTurnComesAfterAllBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := turns.New(life, nil)
		a, b := take(t, table, "a"), take(t, table, "b")
		var before func()
		entered := later(func() { before = enter(t, table, writes(0, "b")) })
		var whole kv.Turn
		granted := later(func() { whole = take(t, table) })
		later(func() { take(t, table, "other") })
		nextGranted := later(func() { take(t, table) })
		a.Release()
		synctest.Wait()
		if granted() || entered() {
			t.Fatal("granted while another turn is held")
		}
		b.Release()
		synctest.Wait()
		if !entered() || granted() {
			t.Fatalf("the commit before it entered %v, the turn was granted %v; want the commit first", entered(), granted())
		}
		before()
		synctest.Wait()
		if !granted() || nextGranted() {
			t.Fatalf("granted %v, and the next %v; want one", granted(), nextGranted())
		}
		whole.Release()
		time.Sleep(life)
		synctest.Wait()
		if !nextGranted() {
			t.Error("the second turn on the whole store is not granted after the first")
		}
	})
}

// Whoever has a turn goes before those that wait, and is then waited for, even if
// its turn has expired meanwhile.
func TestAWholeTurnWaitsForAHoldersCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := turns.New(life, nil)
		holder := take(t, table, "a")
		granted := later(func() { take(t, table) })
		leave := enter(t, table, writes(holder.ID, "a", "b"))
		holder.Release()
		synctest.Wait()
		if granted() {
			t.Fatal("granted while a commit that went before it is on its way")
		}
		leave()
		synctest.Wait()
		if !granted() {
			t.Error("not granted when that commit was over")
		}
	})
}

// A batch that writes nothing changes nothing for anybody.
func TestValidationWaitsForNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := turns.New(life, nil)
		enter(t, table, writes(0))
		began := time.Now()
		take(t, table)
		if err := wait(t.Context(), table, writes(0)); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
