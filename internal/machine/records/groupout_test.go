package records_test

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// sent puts a session that two devices were told of, retired at a time or not.
func sent(t *testing.T, a *machine.Account, room matrix.RoomID, old bool, retired time.Time) records.RoomSession {
	t.Helper()
	sender, err := group.NewSender(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	settings := group.Settings{Messages: 10, Age: time.Hour, Visibility: group.Shared, Strategy: group.AllDevices}
	o, err := group.NewOutbound(room, sender, settings, frame.Moment{Time: time.Now(), Order: 1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !retired.IsZero() {
		o = o.Retire(group.Asked, retired)
	}
	do(t, a, func(tx *txn.Tx) error {
		for i := range 2 {
			share := group.Share{
				Room: room, Session: o.ID(), User: bob, Device: matrix.DeviceID(fmt.Sprint("D", i)), Key: ratchet.PublicKey{1},
				Outcome: group.Given, Over: ratchet.SessionID{1}, At: frame.Moment{Time: time.Now(), Order: 1},
			}
			if err := records.Shares.Put(tx, share); err != nil {
				return err
			}
		}
		if old {
			return records.OldOutbound.Put(tx, o)
		}
		return records.Outbound.Put(tx, o)
	})
	return records.RoomSession{Room: room, ID: o.ID()}
}

// TestSweepOutbound: who was given a key is known for two weeks after its session
// was given up, and then the session goes too.
func TestSweepOutbound(t *testing.T) {
	now := time.Now()
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		old     bool
		retired time.Time
		after   time.Duration
		want    string // sessions in use, old ones, shares
	}{
		"in use for a year":                 {false, time.Time{}, 365 * day, "1 0 2"},
		"retired, and none came after":      {false, now, 13 * day, "1 0 2"},
		"retired two weeks ago":             {false, now, 14*day + time.Hour, "0 0 0"},
		"old":                               {true, now, 13 * day, "0 1 2"},
		"too old":                           {true, now, 14*day + time.Hour, "0 0 0"},
		"retired by a clock that was ahead": {true, now.Add(90 * day), day, "0 1 2"},
	} {
		a := newAccount(t)
		sent(t, a, "!a", c.old, c.retired)
		sweep := func(after time.Duration) {
			t.Helper()
			if _, err := upkeep.Sweep(t.Context(), a, records.Kinds(), now.Add(after)); err != nil {
				t.Fatal(err)
			}
		}
		sweep(c.after)
		wantKinds(t, a, name, c.want, "group-out", "group-old", "group-shared")
		if !c.retired.IsZero() { // whatever the clock said, it comes to an end
			sweep(c.after + 15*day)
			wantKinds(t, a, name+", at last", "0 0 0", "group-out", "group-old", "group-shared")
		}
	}
}

func wantKinds(t *testing.T, a *machine.Account, name, want string, kinds ...string) {
	t.Helper()
	in, err := upkeep.Inspect(t.Context(), a, records.Kinds())
	var got []any
	for _, kind := range kinds {
		got = append(got, in.Records[kind])
	}
	if s := fmt.Sprintln(got...); err != nil || s != want+"\n" {
		t.Errorf("%s: %s%v, want %s", name, s, err, want)
	}
}

// TestSweepSharesOfNothing: what was told of a session that is not there goes; of
// one that cannot be read it stays until that is known.
func TestSweepSharesOfNothing(t *testing.T) {
	a := newAccount(t)
	one, other := sent(t, a, "!a", true, time.Now()), sent(t, a, "!b", false, time.Time{})
	do(t, a, func(tx *txn.Tx) error { return records.OldOutbound.Delete(tx, one) })
	key := func(tx *txn.Tx) (string, error) { return records.Outbound.Key(tx, other.Room) }
	harm(t, a, false, key)
	for range 2 {
		if _, err := upkeep.Sweep(t.Context(), a, records.Kinds(), time.Now()); err != nil {
			t.Fatal(err)
		}
		wantKinds(t, a, "one is damaged", "2", "group-shared")
	}
	harm(t, a, true, key)
	if _, err := upkeep.Sweep(t.Context(), a, records.Kinds(), time.Now()); err != nil {
		t.Fatal(err)
	}
	wantKinds(t, a, "it was set aside", "0", "group-shared")
}
