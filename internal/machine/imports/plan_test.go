package imports

import (
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

var now = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func pair(n byte) ratchet.KeyPair { return ratchet.NewKeyPair(ratchet.PrivateKey{8, n}) }

func deviceWith(keys ...Key) Device {
	return Device{
		Name: machine.AccountName{User: "@a:x", Device: "D"}, Identity: pair(1), Signing: account.SeedSigningKey(account.Seed{1}), OneTimeKeys: keys,
	}
}

// inbound is a session that a peer opened with a key of ours.
func inbound(t *testing.T, peer byte, base byte, opener ratchet.PublicKey) Session {
	t.Helper()
	r, err := ratchet.FromParts(ratchet.Parts{
		Keys:      ratchet.PreKeys{Identity: pair(peer).Public(), Base: ratchet.PublicKey{base}, OneTime: opener},
		Received:  true,
		Root:      secret.Hide([32]byte{1}),
		Receivers: []ratchet.ReceiverPart{{Ratchet: ratchet.PublicKey{base, 1}, Key: secret.Hide([32]byte{2}), Index: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return Session{Ratchet: r, Peer: pair(peer).Public()}
}

func mustPlan(t *testing.T, d Device) *plan {
	t.Helper()
	p, err := planOf(d, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestIDsAreOnce: keys keep their ids where they are none of another's; goolm begins
// with 0, and gives one out twice after an account came from libolm.
func TestIDsAreOnce(t *testing.T) {
	d := deviceWith(Key{ID: 0, Pair: pair(2)}, Key{ID: 5, Pair: pair(3)}, Key{ID: 5, Pair: pair(4)})
	d.LastID = 3
	d.Fallbacks = []Key{{ID: 2, Pair: pair(5)}, {ID: 4, Pair: pair(6)}} // the current one is older by its id
	p := mustPlan(t, d)
	seen := map[otk.ID]bool{}
	var ids []otk.ID
	for _, i := range p.items {
		id := i.key.ID()
		if seen[id] || id == 0 || id > p.last {
			t.Errorf("id %d of %v with last %d", id, seen, p.last)
		}
		seen[id] = true
		ids = append(ids, id)
	}
	if len(ids) != 5 || ids[1] != 5 || ids[3] != 4 || ids[4] <= ids[3] {
		t.Errorf("ids %v, want 5 to stay that of the first, and the current fallback key to have the higher", ids)
	}
}

func TestStagesOfImportedKeys(t *testing.T) {
	used := pair(4)
	d := deviceWith(Key{ID: 1, Pair: pair(2), Published: true}, Key{ID: 2, Pair: pair(3)}, Key{ID: 3, Pair: used, Published: true})
	d.Sessions = []Session{inbound(t, 9, 1, used.Public()), inbound(t, 9, 2, pair(8).Public())}
	p := mustPlan(t, d)
	if p.items[0].entry.Stage != otk.Published || p.items[1].entry.Stage != otk.Abandoned || len(p.items) != 4 {
		t.Errorf("stages %v and %v of %d items, want published, abandoned, and two sessions", p.items[0].entry.Stage, p.items[1].entry.Stage, len(p.items))
	}
	if c := p.counts; c.Published != 1 || c.Abandoned != 1 || c.Used != 1 || c.Sessions != 2 {
		t.Errorf("counts %+v", c)
	}
	for _, i := range p.items[2:] {
		by, _, isUsed := i.opener.Used()
		if !isUsed || by != i.session.ID() || i.opener.Public() != i.session.OneTimeKey() || i.session.Origin() != session.WithOneTimeKey {
			t.Errorf("session %s leaves no tombstone of its key", i.session.ID())
		}
		if i.opener.Public() == used.Public() && i.opener.ID() != 3 {
			t.Errorf("the key that opened it has id %v, want 3", i.opener.ID())
		}
	}
}

func TestAFallbackKeyStaysWhenItOpenedASession(t *testing.T) {
	d := deviceWith()
	d.Fallbacks = []Key{{ID: 1, Pair: pair(2), Published: true}}
	d.Sessions = []Session{inbound(t, 9, 1, pair(2).Public())}
	p := mustPlan(t, d)
	if len(p.items) != 2 || p.items[0].fallback == nil || p.items[1].session.Origin() != session.WithFallbackKey || p.items[1].opener != nil {
		t.Errorf("%d items", len(p.items))
	}
}

// TestTheSessionsUsedLastStay, in whatever order they are given.
func TestTheSessionsUsedLastStay(t *testing.T) {
	d := deviceWith()
	for i := range byte(session.MaxPerPeer + 3) {
		s := inbound(t, 9, i, ratchet.PublicKey{i, 7})
		s.Received = now.Add(-time.Duration(i) * time.Hour)
		d.Sessions = append(d.Sessions, s)
	}
	p := mustPlan(t, d)
	if p.counts.Sessions != session.MaxPerPeer || p.counts.Dropped != 3 {
		t.Fatalf("counts %+v", p.counts)
	}
	oldest := now.Add(-time.Duration(session.MaxPerPeer-1) * time.Hour)
	for _, i := range p.items {
		if i.session.LastReceived().Time().Before(oldest) {
			t.Errorf("a session last used at %v stays", i.session.LastReceived().Time())
		}
	}
}

// TestImportedTimesAreOfThePast, and imported sessions have no order, so that our own
// come first.
func TestImportedTimesAreOfThePast(t *testing.T) {
	d := deviceWith()
	s := inbound(t, 9, 1, ratchet.PublicKey{7})
	s.Created, s.Received, s.Sent = now.Add(time.Hour), now.Add(2*time.Hour), now.Add(-time.Hour)
	d.Created = now.Add(time.Hour)
	d.Sessions = []Session{s}
	p := mustPlan(t, d)
	got := p.items[0].session
	if !got.Created().Time().Equal(now) || !got.LastReceived().Time().Equal(now) || !got.LastSent().Time().Equal(now.Add(-time.Hour)) || !p.account.Created().Equal(now) {
		t.Errorf("times %v, %v, %v, %v", got.Created().Time(), got.LastReceived().Time(), got.LastSent().Time(), p.account.Created())
	}
	own := session.New(s.Ratchet, s.Peer, session.WithOneTimeKey, session.Moment{Time: now.Add(-24 * time.Hour), Order: 1})
	if first, _ := session.Choose([]session.Session{got, own}); first.CreatedIn() != 1 {
		t.Error("an imported session is chosen before one of our own")
	}
}

func TestNothingIsExposed(t *testing.T) {
	for _, v := range []any{Device{}, Key{}, Session{}} {
		for _, path := range secret.Exposed(v, ratchet.PublicKey{}, account.VerifyKey{}, group.SessionID{}, [32]byte{}) {
			t.Errorf("exposed: %s", path)
		}
	}
}
