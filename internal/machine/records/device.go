package records

import (
	"cmp"
	"slices"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Devices: others' devices and the own one, device/<user>/<device>.
var Devices = txn.Record[device.Name, device.Device]{
	Kind: "device", Codec: machine.Encoded[device.Device]{Read: device.DecodeDevice}, Steady: true,
	Name: func(d device.Device) device.Name { return d.Name },
	Path: func(n device.Name) txn.Path { return txn.PathOf(string(n.User), string(n.Device)) },
}

// Owners: whose a Curve25519 key is, owner/<curve25519>.
var Owners = txn.Record[ratchet.PublicKey, device.Owner]{
	Kind: "owner", Codec: machine.Encoded[device.Owner]{Read: device.DecodeOwner}, Steady: true,
	Name: func(o device.Owner) ratchet.PublicKey { return o.Key }, Path: txn.Spelled[ratchet.PublicKey],
}

// Identities: users' cross-signing keys, identity/<user>.
var Identities = txn.Record[matrix.UserID, device.Known]{
	Kind: "identity", Codec: machine.Encoded[device.Known]{Read: device.DecodeKnown}, Steady: true,
	Name: func(k device.Known) matrix.UserID { return k.User },
	Path: pathOfUser,
}

func pathOfUser(u matrix.UserID) txn.Path { return txn.PathOf(string(u)) }

func deviceKind() Kind {
	return Kind{Records: many(&Devices), Check: checkDevices, Broken: askAgain, Inspect: inspectDevices}
}

func ownerKind() Kind { return Kind{Records: many(&Owners), Check: checkOwners, Broken: repairOwner} }

func identityKind() Kind { return Kind{Records: many(&Identities), Broken: askAgain} }

// DeviceShare is what changing a device takes of a commit: it and its owner are
// read and written, and an owner of a dispute may name 16.
var DeviceShare = machine.Share{Bytes: 4 << 10, Writes: 2, Checks: 2}

// DevicesOf returns all devices that are kept of a user, those that are gone or
// disputed too, by their ids, and what is damaged of the others. There are at most
// device.MaxKept, or twice as many for a moment: where a commit checks fewer it is
// for views only.
func DevicesOf(tx *txn.Tx, user matrix.UserID) (all []device.Device, damaged machine.Damages, err error) {
	for d, err := range Devices.ScanUnder(tx, pathOfUser(user)) {
		if err != nil && !damaged.Note(err) {
			return nil, damaged, err
		}
		if err == nil {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b device.Device) int { return cmp.Compare(a.Device, b.Device) })
	return all, damaged, nil
}

// OwnerOf returns whose a Curve25519 key is; ok is false if nobody has it. One that
// was set aside is nobody's.
func OwnerOf(tx *txn.Tx, key ratchet.PublicKey) (o device.Owner, ok bool, err error) {
	o, ok, err = Owners.Get(tx, key)
	if machine.IsSetAside(err) {
		return o, false, nil
	}
	return o, ok, err
}

// IdentityOf returns a user's cross-signing keys, with none if they are not known.
func IdentityOf(tx *txn.Tx, user matrix.UserID) (device.Known, error) {
	k, ok, err := Identities.Get(tx, user)
	if machine.IsSetAside(err) {
		err = nil
	}
	if !ok {
		k = device.Known{Identity: device.Identity{User: user}}
	}
	return k, err
}

// TrustOf returns what is known of who is behind a device. Where an identity cannot
// be read that is nothing, and damaged says why.
func TrustOf(tx *txn.Tx, a *machine.Account, d device.Device) (t device.Trust, damaged, err error) {
	own, err := IdentityOf(tx, a.Name.User)
	if err != nil && !machine.IsDamage(err) {
		return device.Unsigned, nil, err
	}
	damaged = err
	of := own
	if d.User != a.Name.User {
		if of, err = IdentityOf(tx, d.User); err != nil {
			if !machine.IsDamage(err) {
				return device.Unsigned, nil, err
			}
			return device.Unsigned, err, nil
		}
	}
	return of.Of(d, own), damaged, nil
}

// ForgetDevice deletes a device, and that its key is its own. Whoever disputes the
// key with it goes on doing so.
func ForgetDevice(tx *txn.Tx, d device.Device) error {
	if err := Devices.Delete(tx, d.Name); err != nil {
		return err
	}
	o, owned, err := Owners.Get(tx, d.Curve25519)
	if machine.IsDamage(err) || machine.IsSetAside(err) || err == nil && !owned {
		return nil
	}
	if err != nil || !slices.Contains(o.Claimers, d.Name) {
		return err
	}
	if len(o.Claimers) == 1 {
		return Owners.Delete(tx, d.Curve25519)
	}
	o.Claimers = slices.DeleteFunc(slices.Clone(o.Claimers), func(n device.Name) bool { return n == d.Name })
	return Owners.Put(tx, o)
}
