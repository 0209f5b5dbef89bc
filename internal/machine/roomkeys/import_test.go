package roomkeys_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// copies are keys of n sessions, each from an index on and of a provenance.
func copies(t testing.TB, senders []*sender, index uint32, p group.Provenance) (all []roomkeys.Import) {
	for _, s := range senders {
		source := group.Source{Provenance: p, Sender: s.curve, Claimed: s.ed}
		all = append(all, roomkeys.Import{Room: room, Key: exported(t, s.session.Key(), index), Source: source})
	}
	return all
}

func newSenders(t testing.TB, n int) (all []*sender) {
	for range n {
		all = append(all, newSender(t, bob))
	}
	return all
}

// TestImport: what becomes of keys is counted, in commits that the smallest engine
// takes.
func TestImport(t *testing.T) {
	h := newHome(t, smallest())
	senders := newSenders(t, 250)
	bad := copies(t, senders[:3], 0, group.File)
	bad[0].Room, bad[1].Source.Provenance, bad[2].Key = "#room", group.Direct, group.Key{}
	for _, c := range []struct {
		name string
		give []roomkeys.Import
		want roomkeys.Imported
	}{
		{"from 5", copies(t, senders, 5, group.File), roomkeys.Imported{New: 250}},
		{"again", copies(t, senders, 5, group.File), roomkeys.Imported{Same: 250}},
		{"later", copies(t, senders, 7, group.File), roomkeys.Imported{Same: 250}},
		{"earlier", copies(t, senders[:99], 2, group.File), roomkeys.Imported{Better: 99}},
		{"a better provenance", copies(t, senders, 9, group.Backup), roomkeys.Imported{Better: 250}},
		{"none", nil, roomkeys.Imported{}},
	} {
		got, err := h.keys.Import(t.Context(), c.give)
		if err != nil || got.New != c.want.New || got.Better != c.want.Better || got.Same != c.want.Same || len(got.Refused) > 0 {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
	got, err := h.keys.Import(t.Context(), append(bad, copies(t, senders[:1], 0, group.File)...))
	if err != nil || got.Better != 1 || len(got.Refused) != len(bad) {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, r := range got.Refused {
		if r.Place != i || r.Err == nil {
			t.Errorf("refused: %+v", r)
		}
	}
}

// TestConcurrentImports: processes that import at once, in any order, do not run
// twice for each other, and nothing of what any of them knew is lost.
func TestConcurrentImports(t *testing.T) {
	h := newHome(t, memkv.New())
	senders := newSenders(t, 20)
	var all sync.WaitGroup
	for i := range uint32(12) {
		process := h.beside(txn.WithObserver(func(r txn.Report) {
			if r.Attempts > 1 {
				t.Errorf("an import ran %d times", r.Attempts)
			}
		}))
		give := copies(t, senders, 40-3*i, []group.Provenance{group.File, group.Backup, group.Bundle}[i%3])
		rand.Shuffle(len(give), func(i, j int) { give[i], give[j] = give[j], give[i] })
		all.Go(func() {
			if _, err := process.keys.Import(t.Context(), give); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, s := range senders {
		in, _ := h.stored(s.id())
		// The bundle's reaches as far as any other.
		if got := in.Copies(); len(got) != 1 || got[0].Provenance != group.Bundle || got[0].Key.Index() != 40-3*11 {
			t.Errorf("%d copies, the best %v from %d", len(got), got[0].Provenance, got[0].Key.Index())
		}
	}
}

// TestAnyOrder: in whatever order honest copies come, in however many processes, what
// is stored afterwards is the same, and an index that could be read once can be read
// ever after, short of what is forgotten.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := newSender(t, bob)
		type step struct {
			index uint32
			p     group.Provenance
			below uint64
		}
		steps := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
			return step{
				rapid.Uint32Range(0, 600).Draw(r, "index"), group.Provenance(rapid.IntRange(1, 3).Draw(r, "provenance")),
				uint64(rapid.SampledFrom([]int{0, 0, 0, 1, 300, 512}).Draw(r, "below")),
			}
		}), 1, 8).Draw(r, "steps")
		run := func(order []step) group.Inbound {
			h := newHome(t, memkv.New())
			processes := []*home{h, h.beside()}
			must(t, second(h.keys.Import(t.Context(), copies(t, []*sender{s}, 600, group.File))))
			first, floor := int64(600), uint64(0)
			for i, st := range order {
				process := processes[i%2]
				if st.below > 0 {
					must(t, second(process.keys.Forget(t.Context(), roomkeys.Forgetting{Session: s.id(), Below: st.below})))
					floor = max(floor, st.below)
				} else {
					must(t, second(process.keys.Import(t.Context(), copies(t, []*sender{s}, st.index, st.p))))
					first = min(first, int64(st.index))
				}
				if got, want := h.first(s.id()), max(first, int64(floor)); got != want {
					r.Fatalf("after %v it is read from %d on, want %d", order[:i+1], got, want)
				}
			}
			in, _ := h.stored(s.id())
			return in
		}
		encoded := func(in group.Inbound) string {
			b, err := in.Encode()
			must(t, err)
			return string(b)
		}
		want := encoded(run(steps))
		shuffled := slices.Clone(steps)
		for i := range shuffled {
			j := rapid.IntRange(0, i).Draw(r, fmt.Sprint("swap ", i))
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		}
		if got := encoded(run(shuffled)); got != want {
			r.Fatalf("%v and %v store different copies", steps, shuffled)
		}
	})
}

// TestImportMeetsForget: whoever forgets while another imports wins, whichever commits
// first.
func TestImportMeetsForget(t *testing.T) {
	for range 30 {
		h := newHome(t, memkv.New())
		senders := newSenders(t, 5)
		must(t, second(h.keys.Import(t.Context(), copies(t, senders, 3, group.File))))
		one, two := h.beside(), h.beside()
		give := copies(t, senders, 0, group.Backup)
		var both sync.WaitGroup
		both.Go(func() { must(t, second(one.keys.Import(t.Context(), give))) })
		both.Go(func() { must(t, second(two.keys.Forget(t.Context(), roomkeys.Forgetting{Room: room, Below: 2}))) })
		both.Wait()
		for _, s := range senders {
			if got := h.first(s.id()); got != 2 && got != 3 {
				t.Errorf("read from %d on, want 2", got)
			}
			h.do(func(tx *txn.Tx) error {
				in, _, err := records.GroupIns.Get(tx, s.id())
				if in.Floor() != 2 {
					t.Errorf("the floor is %d", in.Floor())
				}
				return err
			})
		}
	}
}
