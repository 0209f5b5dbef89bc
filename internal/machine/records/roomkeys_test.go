package records

import (
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/record/recordtest"
	"github.com/pawlkv/pawl/matrix"
)

const (
	bob = matrix.UserID("@bob:example.org")
)

func sessionsUpTo(n int) []group.SessionID {
	all := make([]group.SessionID, n)
	for i := range all {
		all[i] = group.SessionID{byte(i), byte(i >> 8), 1}
	}
	return all
}

var now = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func withholderOf(n int) Withholder { return Withholder{bob, sessionsUpTo(n), now} }

func unsettledOf(n int) Unsettled {
	return Unsettled{[32]byte{7}, bob, account.VerifyKey{8}, sessionsUpTo(n)}
}

var noOlm = NoOlm{[32]byte{9}, bob, "no key left", now, 77}

// TestRecordsAreStrict: each part of a record is refused, and so is more than it.
func TestRecordsAreStrict(t *testing.T) {
	recordtest.Strict(t, Replay{ReplayName{Index: 1<<32 - 1}, EventDigest{1}}, decodeReplay)
	recordtest.Strict(t, Replay{}, decodeReplay)
	for _, n := range []int{1, 2, MaxWithheld} {
		recordtest.Strict(t, withholderOf(n), decodeWithholder)
	}
	for _, n := range []int{1, 2, MaxUnsettled} {
		recordtest.Strict(t, unsettledOf(n), decodeUnsettled)
	}
	recordtest.Strict(t, noOlm, decodeNoOlm)
}

// TestRecordsHaveLimits: what is beyond a bound is neither written nor read.
func TestRecordsHaveLimits(t *testing.T) {
	twice := unsettledOf(2)
	twice.Sessions[1] = twice.Sessions[0]
	long := noOlm
	long.Reason = strings.Repeat("x", group.MaxReason+1)
	nobody := noOlm
	nobody.From = "bob"
	for name, v := range map[string]recordtest.Encoder{
		"withholder of none": withholderOf(0), "withholder of too many": withholderOf(MaxWithheld + 1),
		"withholder that is no user": Withholder{"bob", sessionsUpTo(1), now},
		"unsettled of none":          unsettledOf(0), "unsettled of too many": unsettledOf(MaxUnsettled + 1),
		"no-olm with a long reason": long, "no-olm of nobody": nobody,
	} {
		if b, err := v.Encode(); err == nil {
			t.Errorf("%s is written, in %d bytes", name, len(b))
		}
	}
	b, err := twice.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeUnsettled(b); err == nil {
		t.Error("a session that is named twice is read")
	}
}

func FuzzRecords(f *testing.F) {
	for _, v := range []recordtest.Encoder{Replay{}, withholderOf(3), unsettledOf(3), noOlm} {
		b, err := v.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		recordtest.Stable(t, b, decodeReplay)
		recordtest.Stable(t, b, decodeWithholder)
		recordtest.Stable(t, b, decodeUnsettled)
		recordtest.Stable(t, b, decodeNoOlm)
	})
}
