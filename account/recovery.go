package account

import (
	"fmt"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/otk"
)

// Cause is why an account must be recovered before it sends again.
type Cause uint8

const (
	// Behind: the store is older than what was committed in it before.
	Behind Cause = 1
	// Copied: the store's files were copied or restored, or the device was imported from
	// another program, which may go on with it.
	Copied Cause = 2
	// Unwitnessed: what told the age of the store is gone or damaged.
	Unwitnessed Cause = 3
	// Asked: somebody who knows better began a recovery.
	Asked Cause = 4
)

// String returns what happened, as part of a sentence.
func (c Cause) String() string {
	switch c {
	case Behind:
		return "the store went back in time"
	case Copied:
		return "the store was copied or restored, or imported from another program"
	case Unwitnessed:
		return "the store's witness is missing or damaged, so it may have been copied or restored"
	case Asked:
		return "a recovery was begun and not finished"
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// Recovery says that an account's sending chains and key ids may be older than
// what the device once used. The zero Recovery means that they are not.
type Recovery struct {
	Since time.Time
	Cause Cause
}

// NeedsRecovery returns why the account must be recovered, and whether it must.
func (a Account) NeedsRecovery() (Recovery, bool) { return a.recovery, !a.recovery.Since.IsZero() }

// RequireRecovery returns the account marked. One that is marked keeps its
// mark.
func (a Account) RequireRecovery(cause Cause, now time.Time) Account {
	if _, marked := a.NeedsRecovery(); marked {
		return a
	}
	if now.IsZero() {
		now = time.UnixMilli(1) // a broken clock must not leave the mark out
	}
	a.recovery = Recovery{Since: record.Time(now), Cause: cause}
	return a
}

// Recovered returns the account without the mark. Keys with ids below from are
// from before the recovery, which an account of format 2 remembers. Store it
// together with the last thing that recovering changes, or after it.
func (a Account) Recovered(from otk.ID) Account {
	a.recovery = Recovery{}
	if a.raised {
		a.lineage.KeysFrom = from
	}
	return a
}

// BeginKeys returns the account in which keys with lower ids than from are as
// those from before a recovery, without any change to a mark: nobody knows any
// more what became of them. In format 1 there is no place for that.
func (a Account) BeginKeys(from otk.ID) Account {
	if a.raised {
		a.lineage.KeysFrom = from
	}
	return a
}

func (a *Account) readRecovery(r *record.Reader) {
	a.recovery = Recovery{Since: r.Time(), Cause: Cause(r.Uint(uint64(Asked)))}
	r.Check(a.recovery.Since.IsZero() == (a.recovery.Cause == 0), "mark of recovery")
}
