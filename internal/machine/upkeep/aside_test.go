package upkeep_test

import (
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// TestAsidesAndClock: a copy of what was set aside is kept for its time from the
// first sweep on, whatever the clock was when it was made.
func TestAsidesAndClock(t *testing.T) {
	for name, at := range map[string]func(now time.Time) time.Time{
		"right":          func(now time.Time) time.Time { return now },
		"the first time": func(time.Time) time.Time { return time.Time{} },
		"1970":           func(time.Time) time.Time { return time.Unix(1, 0) },
		"years behind":   func(now time.Time) time.Time { return now.AddDate(-3, 0, 0) },
		"years ahead":    func(now time.Time) time.Time { return now.AddDate(20, 0, 0) },
		"the last time":  func(time.Time) time.Time { return time.Unix(1<<62, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			right := h.now
			h.now = at(right)
			h.account.Store.Now = func() time.Time { return h.now }
			must(t, h.account.Do(t.Context(), func(tx *txn.Tx) error {
				return machine.PutAside(tx, h.account, machine.Aside{Of: "it", Why: "a test", Bytes: []byte("copy")})
			}))
			h.keepsAside(right, true)
			h.keepsAside(right.Add(session.ReceiptMemory-time.Hour), true)
			h.keepsAside(right.Add(session.ReceiptMemory+time.Hour), false)
		})
	}
}

func (h *host) keepsAside(now time.Time, want bool) {
	h.Helper()
	if _, err := h.Sweep(h.Context(), now); err != nil {
		h.Fatal(err)
	}
	a, err := txn.View(h.Context(), h.account.DB, func(tx *txn.Tx) (machine.Aside, error) {
		a, _, err := machine.Asides.Get(tx, machine.AsideName{Of: "it"})
		return a, err
	})
	if kept := len(a.Bytes) > 0; err != nil || kept != want {
		h.Errorf("at %v a copy is kept: %v, %v, want %v", now, kept, err, want)
	}
}
