package records

import (
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// checkDevices: every device has an owner that names it, and its user is tracked, or
// was.
func checkDevices(c *Checkup) {
	byKey := devicesByKey(c)
	unknown := map[matrix.UserID]bool{}
	for d := range readable(c, &Devices) {
		switch at(c, &Owners, d.Curve25519) {
		case nothing:
			says := fmt.Sprintf("device %s of %s has key %s, whose owner is missing", d.Device, d.User, d.Curve25519)
			c.Find(Owners.Kind, ownedBy(d.Curve25519, byKey[d.Curve25519]), "%s", says)
		case whole:
			o, _, err := Owners.Get(c.Tx, d.Curve25519)
			if err == nil && !slices.Contains(o.Claimers, d.Name) {
				says := fmt.Sprintf("device %s of %s has key %s, which is another's", d.Device, d.User, d.Curve25519)
				c.Find(Devices.Kind, setAsideDevice(d.Name, says), "%s", says)
			}
		}
		if at(c, &Users, d.User) == nothing && !unknown[d.User] {
			unknown[d.User] = true
			c.Find(Users.Kind, trackedAgain(d.User), "user %s has devices and no record", d.User)
		}
	}
}

// checkOwners: every device that an owner names is there, with that key.
func checkOwners(c *Checkup) {
	byKey := devicesByKey(c)
	for o := range readable(c, &Owners) {
		for _, n := range o.Claimers {
			switch at(c, &Devices, n) {
			case nothing:
				says := fmt.Sprintf("key %s is that of device %s of %s, which is missing", o.Key, n.Device, n.User)
				c.Find(Devices.Kind, setAsideDevice(n, says), "%s", says)
			case whole:
				if !slices.Contains(byKey[o.Key], n) {
					c.Find(Owners.Kind, ownedBy(o.Key, byKey[o.Key]), "key %s is not that of device %s of %s", o.Key, n.Device, n.User)
				}
			}
		}
	}
}

func devicesByKey(c *Checkup) map[ratchet.PublicKey][]device.Name {
	all := map[ratchet.PublicKey][]device.Name{}
	for d := range readable(c, &Devices) {
		all[d.Curve25519] = append(all[d.Curve25519], d.Name)
	}
	return all
}

// askAgain sets aside what cannot be read, and asks for everybody's devices again:
// whose it was is not known.
func askAgain(_ *Checkup, u unread) *Fix {
	return inOne("set it aside, and ask for all devices again", func(tx *txn.Tx, a *machine.Account) error {
		done, err := machine.SetAside(tx, a, u.key, u.version, machine.Aside{Why: u.says})
		if err != nil || !done {
			return err
		}
		return allOutdated(tx, a)
	})
}

// setAsideDevice sets aside what stands in the place of a device, or that nothing
// does: a query tells what it is.
func setAsideDevice(n device.Name, why string) *Fix {
	return inOne("set it aside, and ask for all devices again", func(tx *txn.Tx, a *machine.Account) error {
		if err := setAsideRecord(tx, a, &Devices, n, machine.Aside{Why: why}); err != nil {
			return err
		}
		return allOutdated(tx, a)
	})
}

// repairOwner makes the record again from the devices that have the key.
func repairOwner(c *Checkup, u unread) *Fix {
	for k, names := range devicesByKey(c) {
		if key, err := Owners.Key(c.Tx, k); err == nil && key == u.key {
			return ownedBy(k, names)
		}
	}
	return setAsideFix(u, nil)
}

// ownedBy makes the owner of a key again from the devices that had it. They disputed
// it if there are several.
func ownedBy(key ratchet.PublicKey, names []device.Name) *Fix {
	return inOne("make it again from the devices that have the key", func(tx *txn.Tx, a *machine.Account) error {
		found, err := Devices.GetAll(tx, names[:min(len(names), device.MaxClaimers)]...)
		if err != nil {
			return err
		}
		o := device.Owner{Key: key}
		for _, f := range found {
			if f.OK && f.Value.Curve25519 == key {
				o.Claimers = append(o.Claimers, f.Value.Name)
				o.Open = o.Open || f.Value.Disputed
			}
		}
		o.Open = o.Open || len(o.Claimers) > 1
		if len(o.Claimers) == 0 {
			return setAsideRecord(tx, a, &Owners, key, machine.Aside{Why: "no device has the key"})
		}
		return Owners.Put(tx, o)
	})
}
