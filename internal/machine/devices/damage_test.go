package devices_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// kinds are those of this story, as they begin the ids in keys.
var kinds = []string{"device", "identity", "owner", "user", "outdated", "tracking", "own-signature"}

// keysOf returns the keys of all records of a kind.
func (w *world) keysOf(kind string) (keys []string) {
	for key := range w.dump() {
		if _, rest, _ := strings.Cut(key, "/"); rest == kind || strings.HasPrefix(rest, kind+"/") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (w *world) put(key string, value []byte) {
	w.t.Helper()
	write := kv.Write{Key: key, Value: value, Delete: value == nil}
	_, err := w.engine.Commit(w.context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{write}, Sync: true})
	w.must(err)
}

// furnished is a world that has records of all kinds.
func furnished(t *testing.T) (*world, *server) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	for _, user := range []matrix.UserID{alice, bob, carol} {
		s.person(user).crossSign()
		s.person(user).device("ONE")
		s.person(user).device("TWO")
	}
	s.person(alice).take(w.own)
	p.query(s, alice, bob, carol)
	p.allOutdated()
	p.answers(s)
	p.outdate(carol)
	return w, s
}

// TestDamage: whichever record of this story is damaged, lost or of another name, all
// calls do the rest; repair mends what check finds, and after that everybody is known
// as they are.
func TestDamage(t *testing.T) {
	harms := map[string]func(w *world, key string){
		"damaged": func(w *world, key string) { w.put(key, []byte("damaged")) },
		"missing": func(w *world, key string) { w.put(key, nil) },
	}
	whole, _ := furnished(t)
	for _, kind := range kinds {
		count := len(whole.keysOf(kind))
		if count == 0 {
			t.Errorf("there is no record of %s", kind)
		}
		for n := range count {
			for way, harm := range harms {
				w, s := furnished(t)
				key := w.keysOf(kind)[n]
				harm(w, key)
				p := w.open()
				if found := p.broken(); len(found) == 0 && way == "damaged" {
					t.Errorf("%s %s: check finds nothing", kind, way)
				}
				calls(p, s)
				p.repair()
				if found := p.broken(); len(found) > 0 {
					t.Errorf("%s %s: after a repair check finds %q", kind, way, found)
				}
				p = w.open()
				calls(p, s)
				for _, user := range []matrix.UserID{alice, bob, carol} {
					got := slices.Sorted(maps.Keys(p.live(user)))
					want := slices.Sorted(maps.Keys(s.person(user).devices))
					if p.state(user) != devices.Current || !slices.Equal(got, want) {
						t.Errorf("%s %s: in the end %s is %v with %v, want %v", kind, way, user, p.state(user), got, want)
					}
				}
			}
		}
	}
}

// calls are all of this story: none of them fails for somebody's damaged record.
func calls(p *process, s *server) {
	p.t.Helper()
	for _, user := range []matrix.UserID{alice, bob, carol, dave} {
		p.track(user)
		p.outdate(user)
		p.show(user)
	}
	p.allOutdated()
	p.do(func(tx *txn.Tx, v account.Account) error {
		for _, key := range []account.Account{p.own} {
			if _, err := devices.SenderOf(tx, p.account, key.Identity()); err != nil {
				return err
			}
			if err := devices.Prove(tx, key.Identity(), name(bob, ""), account.VerifyKey{}); err != nil {
				return err
			}
		}
		_, err := records.OwnDeviceKeys(tx, v)
		return err
	})
	s.person(dave).device("D")
	for range 3 {
		p.answers(s)
		p.later(device.MaxBackoff)
	}
	if p.state(dave) != devices.Current || len(p.live(dave)) != 1 {
		p.t.Errorf("somebody else is %v with %v", p.state(dave), p.live(dave))
	}
	delete(s.person(dave).devices, "D")
	p.leave(dave)
}

func (p *process) repair() {
	p.t.Helper()
	check := func() ([]records.Finding, error) { return upkeep.Check(p.context(), p.account, records.Kinds()) }
	for range 5 {
		found, err := check()
		p.must(err)
		for _, f := range found {
			if f.Fix == nil {
				p.t.Errorf("nothing mends: %s", f.Broken)
				continue
			}
			p.must(f.Fix.Do(p.context(), p.account))
		}
	}
}
