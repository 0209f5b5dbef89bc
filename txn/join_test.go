package txn_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
	"pgregory.net/rapid"
)

// group is a set that only grows.
type group struct{ Members map[string]bool }

func (g group) Join(other group) group {
	all := maps.Clone(g.Members)
	if all == nil {
		all = map[string]bool{}
	}
	maps.Copy(all, other.Members)
	return group{all}
}

func equalGroups(a, b group) bool { return maps.Equal(a.Members, b.Members) }

// groups are stored under one name.
var groups = txn.JoinRecord[string, group]{Record: txn.Record[string, group]{
	Kind: "group", Codec: txn.Msgpack[group](1),
	Name: func(group) string { return "g" }, Path: slashed,
}}

func members(names ...string) group {
	g := group{map[string]bool{}}
	for _, n := range names {
		g.Members[n] = true
	}
	return g
}

func joinInto(t testing.TB, db *txn.DB, name string) {
	t.Helper()
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		return 0, groups.Join(tx, members(name))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func stored(t testing.TB, db *txn.DB) group {
	t.Helper()
	g, err := txn.View(ctx, db, func(tx *txn.Tx) (group, error) {
		g, _, err := groups.Get(tx, "g")
		return g, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func has(t testing.TB, db *txn.DB, name string) bool {
	t.Helper()
	return stored(t, db).Members[name]
}

// rivalry runs f in a transaction during whose first runs another process
// joins "rival" to the group, and returns how often f ran.
func rivalry(t *testing.T, p txn.CachePolicy, f func(tx *txn.Tx) error) (runs int, db *txn.DB) {
	t.Helper()
	store := newStore(t)
	rival := open(store, txn.NoCache)
	joinInto(t, rival, "first")
	db = open(store, p)
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		if runs++; runs == 1 {
			if err := f(tx); err != nil {
				return 0, err
			}
			joinInto(t, rival, "rival")
			return 0, nil
		}
		return 0, f(tx)
	})
	if err != nil {
		t.Fatal(err)
	}
	return runs, db
}

func TestJoinsAreMadeAgainWithoutTheFunction(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		runs, db := rivalry(t, p, func(tx *txn.Tx) error {
			if err := groups.Join(tx, members("mine")); err != nil {
				return err
			}
			return groups.Join(tx, members("also"))
		})
		if got := stored(t, db); runs != 1 || !equalGroups(got, members("first", "rival", "mine", "also")) {
			t.Errorf("%d runs, stored %v", runs, got)
		}
		if s := db.Stats(); s.Joins != 1 || s.Conflicts != 1 || s.Kinds["group"] != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestPeekIsNoRead: what was peeked at may change without the function running again,
// and peeking shows what the transaction itself has written.
func TestPeekIsNoRead(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		runs, db := rivalry(t, p, func(tx *txn.Tx) error {
			peeked := func(want group) {
				if got, ok, err := groups.Peek(tx, "g"); err != nil || !ok || !equalGroups(got, want) {
					t.Errorf("peeked %v, %v, %v; want %v", got, ok, err, want)
				}
			}
			peeked(members("first"))
			if err := groups.Join(tx, members("mine")); err != nil {
				return err
			}
			peeked(members("first", "mine"))
			if _, ok, err := groups.Peek(tx, "none"); ok || err != nil {
				t.Errorf("peeked at nothing: %v, %v", ok, err)
			}
			return nil
		})
		if got := stored(t, db); runs != 1 || !equalGroups(got, members("first", "rival", "mine")) {
			t.Errorf("%d runs, stored %v", runs, got)
		}
	})
}

func TestJoinedRecordThatIsAlsoReadIsAnOrdinaryRead(t *testing.T) {
	for name, look := range map[string]func(tx *txn.Tx) error{
		"got":     func(tx *txn.Tx) error { _, _, err := groups.Get(tx, "g"); return err },
		"version": func(tx *txn.Tx) error { _, err := groups.Version(tx, "g"); return err },
		"scanned": func(tx *txn.Tx) error {
			for _, err := range groups.Scan(tx) {
				return err
			}
			return nil
		},
	} {
		for _, before := range []bool{true, false} {
			runs, db := rivalry(t, txn.NoCache, func(tx *txn.Tx) error {
				if before {
					if err := look(tx); err != nil {
						return err
					}
				}
				if err := groups.Join(tx, members("mine")); err != nil {
					return err
				}
				if before {
					return nil
				}
				return look(tx)
			})
			if got := stored(t, db); runs != 2 || !equalGroups(got, members("first", "rival", "mine")) {
				t.Errorf("%s (before the join: %v): %d runs, stored %v", name, before, runs, got)
			}
		}
	}
}

func TestConflictElsewhereRunsTheFunctionAgain(t *testing.T) {
	store := newStore(t)
	rival, db := open(store, txn.NoCache), open(store, txn.NoCache)
	runs := 0
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		if err := groups.Join(tx, members("mine")); err != nil {
			return 0, err
		}
		v, err := add(tx, "pot", 1)
		if runs++; runs == 1 {
			joinInto(t, rival, "rival")
			pay(t, rival, "pot", 1)
		}
		return v, err
	})
	if err != nil || runs != 2 || balance(t, db, "pot") != 2 {
		t.Errorf("%v after %d runs, balance %d", err, runs, balance(t, db, "pot"))
	}
}

func TestPutAndDeleteReplaceAJoin(t *testing.T) {
	db := open(newStore(t), txn.NoCache)
	joinInto(t, db, "old")
	for _, c := range []struct {
		write func(tx *txn.Tx) error
		want  group
	}{
		{func(tx *txn.Tx) error { return groups.Put(tx, members("put")) }, members("put", "after")},
		{func(tx *txn.Tx) error { return groups.Delete(tx, "g") }, members("after")},
	} {
		_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
			if err := groups.Join(tx, members("before")); err != nil {
				return 0, err
			}
			if err := c.write(tx); err != nil {
				return 0, err
			}
			return 0, groups.Join(tx, members("after"))
		})
		if got := stored(t, db); err != nil || !equalGroups(got, c.want) {
			t.Errorf("stored %v, %v; want %v", got, err, c.want)
		}
	}
}

func TestManyJoinersRunOnce(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		dbs := handles(newStore(t), 4, p)
		crowd(dbs, 16, func(db *txn.DB, id int) {
			for n := range 10 {
				joinInto(t, db, strings.Repeat("x", id*10+n+1))
			}
		})
		attempts := 0
		for _, db := range dbs {
			attempts += db.Stats().Attempts
		}
		if got := stored(t, dbs[0]); len(got.Members) != 160 || attempts != 160 {
			t.Errorf("%d members after %d runs, want 160 of both", len(got.Members), attempts)
		}
	})
}

func TestUnknownOutcomeOfAJoin(t *testing.T) {
	for _, f := range []faulty.Fault{faulty.AppliedUnknown, faulty.LostUnknown, faulty.LateUnknown} {
		store := newStore(t)
		joinInto(t, open(faulty.Commits(store, f), txn.NoCache), "mine")
		if !has(t, open(store, txn.NoCache), "mine") {
			t.Errorf("fault %v: nothing was joined", f)
		}
	}
}

func TestJoinLaws(t *testing.T) {
	sets := rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), 0, 5), func(s []string) group { return members(s...) })
	rapid.Check(t, func(t *rapid.T) {
		if err := txn.JoinLaws(sets.Draw(t, "a"), sets.Draw(t, "b"), sets.Draw(t, "c"), equalGroups); err != nil {
			t.Fatal(err)
		}
	})
}

// sum, last and midpoint each break one law.
type (
	sum      int
	last     int
	midpoint int
)

func (a sum) Join(b sum) sum                { return a + b }
func (a last) Join(b last) last             { return b }
func (a midpoint) Join(b midpoint) midpoint { return (a + b) / 2 }

func TestJoinLawsNamesTheBrokenLaw(t *testing.T) {
	for want, err := range map[string]error{
		"idempotent":  txn.JoinLaws(sum(1), 2, 3, func(a, b sum) bool { return a == b }),
		"commutative": txn.JoinLaws(last(1), 2, 3, func(a, b last) bool { return a == b }),
		"associative": txn.JoinLaws(midpoint(0), 8, 16, func(a, b midpoint) bool { return a == b }),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("JoinLaws = %v, want one about %s", err, want)
		}
	}
}

// parity is a set of numbers that are all even or all odd.
type parity struct{ Numbers map[int]bool }

func (p parity) Join(other parity) parity {
	all := maps.Clone(p.Numbers)
	maps.Copy(all, other.Numbers)
	return parity{all}
}

func (p parity) Joins(other parity) bool {
	for a := range p.Numbers {
		for b := range other.Numbers {
			if (a^b)&1 != 0 {
				return false
			}
		}
	}
	return true
}

func numbers(ns ...int) parity {
	p := parity{map[int]bool{}}
	for _, n := range ns {
		p.Numbers[n] = true
	}
	return p
}

var parities = txn.JoinRecord[string, parity]{Record: txn.Record[string, parity]{
	Kind: "parity", Codec: txn.Msgpack[parity](1),
	Name: func(parity) string { return "p" }, Path: slashed,
}}

// joinOrKeep joins n, or keeps what is stored where it does not join.
func joinOrKeep(db *txn.DB, n int, first func()) (runs int, kept bool, err error) {
	_, err = txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		runs++
		kept = false
		err := parities.Join(tx, numbers(n))
		if errors.Is(err, txn.ErrApart) {
			kept = true
			if _, ok, err := parities.Get(tx, "p"); err != nil || !ok {
				return 0, err
			}
			err = nil
		}
		if runs == 1 && first != nil {
			first()
		}
		return 0, err
	})
	return runs, kept, err
}

// TestValuesThatDoNotJoin: of what joins the function knows nothing; what does not
// is a conflict like any other, and told at once where it was stored before.
func TestValuesThatDoNotJoin(t *testing.T) {
	for _, test := range []struct {
		name      string
		before    []int // stored when the transaction begins
		meanwhile int   // somebody else joins it during the first run
		runs      int
		kept      bool
		want      parity
	}{
		{name: "a stored one joins", before: []int{2}, meanwhile: 4, runs: 1, want: numbers(2, 4, 6)},
		{name: "what comes between does not join", meanwhile: 3, runs: 2, kept: true, want: numbers(3)},
		{name: "the stored one does not join", before: []int{1}, meanwhile: 3, runs: 1, kept: true, want: numbers(1, 3)},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := newStore(t)
			rival, db := open(store, txn.NoCache), open(store, txn.NoCache)
			join := func(n int) {
				if _, _, err := joinOrKeep(rival, n, nil); err != nil {
					t.Fatal(err)
				}
			}
			for _, n := range test.before {
				join(n)
			}
			runs, kept, err := joinOrKeep(db, 6, func() { join(test.meanwhile) })
			if err != nil || runs != test.runs || kept != test.kept {
				t.Errorf("%d runs, kept what was stored: %v, %v; want %d, %v", runs, kept, err, test.runs, test.kept)
			}
			got, err := txn.View(ctx, db, func(tx *txn.Tx) (parity, error) {
				p, _, err := parities.Get(tx, "p")
				return p, err
			})
			if err != nil || !maps.Equal(got.Numbers, test.want.Numbers) {
				t.Errorf("stored %v, %v; want %v", got.Numbers, err, test.want.Numbers)
			}
		})
	}
}

// TestTwoOwnValuesThatDoNotJoin: the first stays.
func TestTwoOwnValuesThatDoNotJoin(t *testing.T) {
	db := open(newStore(t), txn.NoCache)
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		if err := parities.Join(tx, numbers(2)); err != nil {
			return 0, err
		}
		if err := parities.Join(tx, numbers(3)); !errors.Is(err, txn.ErrApart) {
			t.Errorf("joining 3 to 2: %v, want ErrApart", err)
		}
		return 0, parities.Join(tx, numbers(4))
	})
	got, _ := txn.View(ctx, db, func(tx *txn.Tx) (parity, error) {
		p, _, err := parities.Get(tx, "p")
		return p, err
	})
	if err != nil || !maps.Equal(got.Numbers, numbers(2, 4).Numbers) {
		t.Errorf("stored %v, %v; want 2 and 4", got.Numbers, err)
	}
}
