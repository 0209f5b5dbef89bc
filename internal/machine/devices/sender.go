package devices

import (
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Sender is what is known of who sends with a Curve25519 key.
type Sender struct {
	// Known: the device is known, and the key is its own.
	Known  bool
	Device device.Device
	Trust  device.Trust
	// Claimers are the devices that claim the key, where several do and none has
	// proved it.
	Claimers []device.Name
	// Damaged says why what is known cannot be read.
	Damaged error
}

// SenderOf returns whose a Curve25519 key is. A key belongs to one user: whoever
// else sends with it is not believed.
func SenderOf(tx *txn.Tx, a *machine.Account, key ratchet.PublicKey) (s Sender, err error) {
	o, owned, err := records.OwnerOf(tx, key)
	if machine.IsDamage(err) {
		return Sender{Damaged: err}, nil
	}
	if err != nil || !owned {
		return s, err
	}
	if o.Open {
		return Sender{Claimers: o.Claimers}, nil
	}
	d, there, err := records.Devices.Get(tx, o.Claimers[0])
	switch {
	case machine.IsSetAside(err) || err == nil && !there:
		return s, nil
	case machine.IsDamage(err):
		return Sender{Damaged: err}, nil
	case err != nil:
		return s, err
	}
	trust, damaged, err := records.TrustOf(tx, a, d)
	return Sender{Known: true, Device: d, Trust: trust, Damaged: damaged}, err
}

// Prove notes what an Olm message from a Curve25519 key proves, whose payload names
// this Ed25519 key and is from this device, or from this user where it names none: of
// the devices that dispute the Curve25519 key the one with that Ed25519 key has it,
// and the others are forgotten. It does nothing where there is no dispute.
func Prove(tx *txn.Tx, sender ratchet.PublicKey, by device.Name, named account.VerifyKey) error {
	o, owned, err := records.OwnerOf(tx, sender)
	if machine.IsDamage(err) || err == nil && (!owned || !o.Open) {
		return nil
	}
	if err != nil {
		return err
	}
	found, err := records.Devices.GetAll(tx, o.Claimers...)
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Err != nil && !machine.IsDamage(f.Err) && !machine.IsSetAside(f.Err) {
			return f.Err
		}
		d := f.Value
		if by.Device == "" {
			d.Device = ""
		}
		if f.OK && d.Name == by && d.Ed25519 == named && d.Curve25519 == sender {
			return settleDispute(tx, o, f.Value)
		}
	}
	return nil
}

// settleDispute gives the key to one device.
func settleDispute(tx *txn.Tx, o device.Owner, winner device.Device) error {
	o, lost, ended := o.Prove(winner.Name)
	if !ended {
		return nil
	}
	if err := records.Owners.Put(tx, o); err != nil {
		return err
	}
	winner.Disputed = false
	if err := records.Devices.Put(tx, winner); err != nil {
		return err
	}
	users := []matrix.UserID{winner.User}
	for _, n := range lost {
		if err := records.Devices.Delete(tx, n); err != nil {
			return err
		}
		users = append(users, n.User)
	}
	slices.Sort(users)
	for _, user := range slices.Compact(users) {
		if err := records.MarkRoomsOf(tx, user); err != nil {
			return err
		}
	}
	return nil
}
