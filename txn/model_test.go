package txn_test

import (
	"errors"
	"maps"
	"testing"

	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
	"pgregory.net/rapid"
)

// A random program in one transaction reads what a map would.
func TestTransactionReadsLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([]txn.CachePolicy{txn.NoCache, txn.Validated}).Draw(t, "policy")
		db := open(memkv.New(), p)
		model := map[string]int{}
		for range rapid.IntRange(1, 4).Draw(t, "transactions") {
			draft := maps.Clone(model)
			fails := rapid.Bool().Draw(t, "fails")
			steps := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 12).Draw(t, "steps")
			_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
				for _, s := range steps {
					step(t, tx, draft, s)
				}
				if fails {
					return 0, errPoor
				}
				return 0, nil
			})
			switch {
			case fails && !errors.Is(err, errPoor), !fails && err != nil:
				t.Fatalf("Do = %v, fails %v", err, fails)
			case !fails:
				model = draft
			}
		}
	})
}

func step(t *rapid.T, tx *txn.Tx, model map[string]int, kind int) {
	who := rapid.SampledFrom([]string{"x/a", "x/b", "x/c"}).Draw(t, "who")
	n := rapid.IntRange(1, 9).Draw(t, "n")
	switch kind {
	case 0:
		model[who] = n
		if err := purses.Put(tx, purse{who, n}); err != nil {
			t.Fatal(err)
		}
	case 1:
		delete(model, who)
		if err := purses.Delete(tx, who); err != nil {
			t.Fatal(err)
		}
	case 2:
		got, ok, err := purses.Get(tx, who)
		if want, has := model[who]; err != nil || ok != has || got.Balance != want {
			t.Fatalf("Get(%s) = %v, %v, %v; want %d, %v", who, got, ok, err, want, has)
		}
	default:
		got := map[string]int{}
		first := txn.PathOf([]string{"x"}[:kind-3]...) // all, or those under x
		for p, err := range purses.ScanUnder(tx, first) {
			if _, twice := got[p.Owner]; twice || err != nil {
				t.Fatalf("Scan yields %v twice, or %v", p, err)
			}
			got[p.Owner] = p.Balance
		}
		if !maps.Equal(got, model) {
			t.Fatalf("Scan = %v, want %v", got, model)
		}
	}
}
