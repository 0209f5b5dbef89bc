package records

import (
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/txn"
)

// accountKind is the account's own record. Its name is checked where accounts
// are listed: the records of other accounts are not this one's to check.
func accountKind() Kind { return Kind{Check: checkAccount, Inspect: inspectAccount} }

func checkAccount(c *Checkup) {
	a, err := c.Account.Read(c.Tx)
	switch {
	case err != nil:
		// Whether anything can be done about it is for the store's check to say.
		c.Find("account", nil, "account record: %v", err)
	case a.Check() != nil:
		c.Find("account", nil, "account record: %v", a.Check())
	}
}

func inspectAccount(tx *txn.Tx, of *machine.Account, out *Inspection, damaged *machine.Damages) error {
	a, err := of.Read(tx)
	if damaged.Note(err) {
		out.Identity = machine.Identity{UserID: of.Name.User, DeviceID: of.Name.Device}
		return nil
	}
	if err != nil {
		return err
	}
	out.Identity = machine.IdentityOf(a)
	if to, retired := a.Retired(); retired {
		out.Retired = to.Path
	}
	if why, needed := a.NeedsRecovery(); needed {
		out.Recovery = why.Cause.String()
	}
	return nil
}
