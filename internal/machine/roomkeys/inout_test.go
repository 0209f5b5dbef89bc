package roomkeys_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// stream yields keys, and errors in the place of some.
func stream(keys []roomkeys.Import, instead map[int]error) iter.Seq2[roomkeys.Import, error] {
	return func(yield func(roomkeys.Import, error) bool) {
		for i, k := range keys {
			if !yield(k, instead[i]) {
				return
			}
		}
	}
}

// export is all that is exported, by session.
func (h *home) export(how roomkeys.Exporting) map[group.SessionID]group.RoomKey {
	h.Helper()
	all := map[group.SessionID]group.RoomKey{}
	for key, err := range h.keys.Export(h.Context(), how) {
		must(h, err)
		if _, twice := all[key.Key.ID()]; twice {
			h.Errorf("session %s is exported twice", key.Key.ID())
		}
		all[key.Key.ID()] = key
	}
	return all
}

// TestExport: what is exported of a session reaches as far back as any copy, and says
// whose it is by the best; what is forgotten is not exported, and rooms are apart.
func TestExport(t *testing.T) {
	h := newHome(t, smallest())
	senders := newSenders(t, 250)
	must(t, second(h.keys.Import(t.Context(), copies(t, senders, 5, group.File))))
	best := copies(t, senders[:1], 9, group.Backup)
	best[0].Source.Claimed, best[0].Source.SharedHistory = account.VerifyKey{7}, true
	elsewhere := copies(t, newSenders(t, 1), 3, group.Bundle)
	elsewhere[0].Room = other
	must(t, second(h.keys.Import(t.Context(), append(best, elsewhere...))))
	must(t, second(h.keys.Forget(t.Context(), roomkeys.Forgetting{Session: senders[1].id()})))
	must(t, second(h.keys.Forget(t.Context(), roomkeys.Forgetting{Session: senders[2].id(), Below: 100})))
	seen, total := 0, 0
	all := h.export(roomkeys.Exporting{Progress: func(n int) { seen++; total = n }})
	if len(all) != 250 || seen != 251 || total != 251 {
		t.Errorf("%d are exported; %d of %d were looked at", len(all), seen, total)
	}
	for i, s := range senders {
		got, ok := all[s.id()]
		index, source := uint32(5), group.Source{Provenance: group.File, Sender: s.curve, Claimed: s.ed}
		switch i {
		case 0:
			source = best[0].Source
		case 1:
			if ok {
				t.Error("what is forgotten is exported")
			}
			continue
		case 2:
			index = 100
		}
		if !ok || got.Key.Index() != index || got.Source != source || got.Room != room || !got.Key.Connected(s.session.Key()) {
			t.Errorf("session %d is exported from %d on, of %+v in %s", i, got.Key.Index(), got.Source, got.Room)
		}
	}
	if all := h.export(roomkeys.Exporting{Rooms: []matrix.RoomID{other, "!nobody:example.org"}}); len(all) != 1 || all[elsewhere[0].Key.ID()].Room != other {
		t.Errorf("of the other room: %d", len(all))
	}
	// Whoever has heard enough ends it.
	for _, err := range h.keys.Export(t.Context(), roomkeys.Exporting{}) {
		must(t, err)
		break
	}
}

// TestExportOfDamage: what cannot be read is told, or else ends the export, and what was
// set aside is no key.
func TestExportOfDamage(t *testing.T) {
	h := newHome(t, memkv.New())
	senders := newSenders(t, 5)
	must(t, second(h.keys.Import(t.Context(), copies(t, senders, 5, group.File))))
	h.do(func(tx *txn.Tx) error {
		key, err := records.GroupIns.Key(tx, senders[1].id())
		if err != nil {
			return err
		}
		return tx.SetAside(key, h.now)
	})
	h.spoil(senders[0].id())
	var damaged []error
	all := h.export(roomkeys.Exporting{Damaged: func(err error) { damaged = append(damaged, err) }})
	if len(all) != 3 || len(damaged) != 1 || !errors.Is(damaged[0], kv.ErrCorrupt) {
		t.Errorf("%d are exported, damaged: %v", len(all), damaged)
	}
	var last error
	for _, err := range h.keys.Export(t.Context(), roomkeys.Exporting{}) {
		last = err
	}
	if !errors.Is(last, kv.ErrCorrupt) {
		t.Errorf("it ends with %v", last)
	}
}

// spoil damages the record of a session.
func (h *home) spoil(id group.SessionID) {
	h.Helper()
	var key string
	h.do(func(tx *txn.Tx) (err error) { key, err = records.GroupIns.Key(tx, id); return err })
	_, err := h.engine.Commit(h.Context(), &kv.Batch{ID: kv.NewCommitID(1), Writes: []kv.Write{{Key: key, Value: []byte("spoiled")}}})
	must(h, err)
}

// TestImportFrom: keys are imported as they come; what is wrong with one is told in its
// place, and anything else ends the import after what came before.
func TestImportFrom(t *testing.T) {
	h := newHome(t, smallest())
	senders := newSenders(t, 250)
	keys := copies(t, senders, 5, group.File)
	keys[7].Room = other
	keys[240].Room = other
	var refused []roomkeys.RefusedKey
	how := roomkeys.Importing{Rooms: []matrix.RoomID{room}, Refused: func(r roomkeys.RefusedKey) { refused = append(refused, r) }}
	done, err := h.keys.ImportFrom(t.Context(), stream(keys, map[int]error{3: group.ErrMalformed, 120: group.ErrVersion, 249: matrix.ErrRoomID}), how)
	if want := (roomkeys.Counts{New: 245, Refused: 3}); err != nil || done != want {
		t.Errorf("%+v, %v, want %+v", done, err, want)
	}
	for i, want := range []struct {
		place int
		err   error
	}{{3, group.ErrMalformed}, {120, group.ErrVersion}, {249, matrix.ErrRoomID}} {
		if r := refused[i]; r.Place != want.place || !errors.Is(r.Err, want.err) {
			t.Errorf("refused: %+v, want %d, %v", r, want.place, want.err)
		}
	}
	broken := errors.New("the file cannot be read")
	done, err = h.keys.ImportFrom(t.Context(), stream(keys, map[int]error{200: broken}), roomkeys.Importing{})
	if want := (roomkeys.Counts{New: 3, Same: 197}); !errors.Is(err, broken) || done != want { // of what was of the other room, or refused, before
		t.Errorf("%+v, %v, want %+v", done, err, want)
	}
}

// TestDryRun: it counts what an import then does, whatever comes twice, and changes
// nothing.
func TestDryRun(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := newHome(t, smallest())
		senders := newSenders(t, 3)
		draw := func(what string, most int) (keys []roomkeys.Import) {
			for i := range rapid.IntRange(0, most).Draw(r, what) {
				s := senders[rapid.IntRange(0, 2).Draw(r, fmt.Sprint(what, i, " session"))]
				one := copies(t, []*sender{s}, rapid.Uint32Range(0, 3).Draw(r, fmt.Sprint(what, i, " index")), group.Provenance(rapid.IntRange(1, 3).Draw(r, fmt.Sprint(what, i, " provenance"))))
				switch rapid.IntRange(0, 9).Draw(r, fmt.Sprint(what, i, " kind")) {
				case 0:
					one[0].Room = other
				case 1:
					one[0].Key = forged(t, one[0].Key)
				}
				// The smallest engine takes some 90 in one commit: what comes twice may be in two.
				keys = append(append(keys, one...), copies(t, newSenders(t, 40*rapid.IntRange(0, 1).Draw(r, fmt.Sprint(what, i, " more"))), 0, group.File)...)
			}
			return keys
		}
		must(t, second(h.keys.Import(t.Context(), draw("before", 2))))
		keys := draw("keys", 5)
		var would, did []string
		note := func(to *[]string) func(roomkeys.RefusedKey) {
			return func(k roomkeys.RefusedKey) { *to = append(*to, fmt.Sprint(k.Place, k.Room, k.Session, k.Err)) }
		}
		before := h.all()
		dry, err := h.keys.ImportFrom(t.Context(), stream(keys, nil), roomkeys.Importing{Dry: true, Refused: note(&would)})
		must(t, err)
		if !slices.Equal(h.all(), before) {
			r.Fatal("a dry run changes something")
		}
		done, err := h.keys.ImportFrom(t.Context(), stream(keys, nil), roomkeys.Importing{Refused: note(&did)})
		must(t, err)
		if dry != done || !slices.Equal(would, did) {
			r.Fatalf("a dry run counts %+v, refused %v; the import %+v, refused %v", dry, would, done, did)
		}
		after := h.all()
		done, err = h.keys.ImportFrom(t.Context(), stream(keys, nil), roomkeys.Importing{})
		must(t, err)
		if done.New+done.Better > 0 || !slices.Equal(h.all(), after) {
			r.Fatalf("imported once more: %+v", done)
		}
	})
}

// all is every entry of the store, with its version.
func (h *home) all() (all []string) {
	h.Helper()
	snap := h.engine.Snapshot()
	defer snap.Close()
	for e, err := range snap.Scan(h.Context(), "") {
		must(h, err)
		all = append(all, fmt.Sprint(e.Key, e.Version))
	}
	return all
}

// TestImportGoesOn: whichever commit of an import is the last, the same import again
// ends as one that was never stopped, and counts what was there as the same.
func TestImportGoesOn(t *testing.T) {
	senders := newSenders(t, 250)
	keys := append(copies(t, senders, 5, group.File), copies(t, senders[:20], 2, group.File)...)
	stopped := errors.New("power is off")
	for last := 0; ; last++ {
		commits, on := 0, false
		h := newHome(t, faulty.Wrap(smallest(), faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
			if on && call.Op == faulty.Commit && len(call.Batch.Writes) > 0 {
				if commits++; commits > last {
					return stopped
				}
			}
			return nil
		}}))
		on = true
		first, stop := h.keys.ImportFrom(t.Context(), stream(keys, nil), roomkeys.Importing{})
		if stop != nil && !errors.Is(stop, stopped) {
			t.Fatal(stop)
		}
		on = false
		again, err := h.keys.ImportFrom(t.Context(), stream(keys, nil), roomkeys.Importing{})
		must(t, err)
		if all := h.export(roomkeys.Exporting{}); len(all) != 250 || first.New+again.New != 250 || first.Better+again.Better < 20 {
			t.Errorf("after %d commits: %d sessions, %+v and %+v", last, len(all), first, again)
		}
		for i, s := range senders {
			if want := map[bool]int64{true: 2, false: 5}[i < 20]; h.first(s.id()) != want {
				t.Errorf("after %d commits session %d is read from %d on, want %d", last, i, h.first(s.id()), want)
			}
		}
		if stop == nil {
			if last < 3 {
				t.Errorf("it takes %d commits", last)
			}
			return
		}
	}
}
