package records

import (
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
)

// Sweep is one sweep of an account, at a time that need not be now.
type Sweep struct {
	Account *machine.Account
	Now     time.Time
	Done    Swept
	Damaged machine.Damages
}

// Swept counts what a sweep did.
type Swept struct {
	Erased      int // receipts that expired: their messages' keys
	Receipts    int // deleted
	Sessions    int // tombstones and marks of pruned and forgotten sessions
	Strangers   int // peers, with their sessions
	OneTimeKeys int // tombstones of used keys
	Damaged     int // records that were passed over
	// FallbackKeys are those that have had their time.
	FallbackKeys int
}

// Recovery is the recovery of an account.
type Recovery struct {
	Account *machine.Account
	Done    Recovered
	Damaged machine.Damages
}

// Recovered counts what a recovery gave up.
type Recovered struct {
	Sessions    int // only receive from now on
	OneTimeKeys int // will not be offered any more
	Damaged     int // records that were passed over
}

// Inspection is what may be shown of an account: public parts and counts.
type Inspection struct {
	Damaged  []error // of the records that cannot be shown
	Identity machine.Identity
	Retired  string // where the account moved, or ""
	Recovery string // why the account must be recovered, or ""
	Keys     KeyCounts
	Peers    []PeerInfo // in the order of their identity keys
	Receipts ReceiptCounts
	Rooms    []InspectedRoom
	Devices  []device.Device
	Requests []Request
	Wedges   []Wedge
	Records  map[string]int // how many there are of each kind
}
