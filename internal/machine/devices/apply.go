package devices

import (
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// applyDevices changes some of a user's devices, if the request is under way for the
// user still.
func (q *Queries) applyDevices(tx *txn.Tx, r outbox.Request, answers device.Answers, part device.Part) ([]device.Refusal, error) {
	tx.Unsynced() // what makes the answer count is synced, and comes after
	asked, v, err := q.asked(tx, r, []matrix.UserID{part.User})
	if err != nil || len(asked) == 0 || !asked[0].Left.IsZero() {
		return nil, err
	}
	known, part, refused, err := q.known(tx, part)
	if err != nil {
		return nil, err
	}
	owners, err := ownersOf(tx, v, part.Claims)
	if err != nil {
		return nil, err
	}
	answers, part, taken, err := bound(tx, owners, answers, part)
	if err != nil {
		return nil, err
	}
	refused = append(refused, taken...)
	j := answers.Join(part.Answer, known, owners.of, q.account.Store.Now())
	mark := len(part.Forgotten) > 0
	for _, d := range j.Devices {
		mark = mark || !slices.ContainsFunc(known, func(old device.Device) bool { return alike(old, d) })
		if err := records.Devices.Put(tx, d); err != nil {
			return nil, err
		}
	}
	for _, o := range owners.with(j, v) {
		if err := records.Owners.Put(tx, o); err != nil {
			return nil, err
		}
	}
	for _, n := range part.Forgotten {
		if err := forget(tx, n); err != nil {
			return nil, err
		}
	}
	if mark {
		err = records.MarkRoomsOf(tx, part.User)
	}
	return append(refused, j.Refused...), err
}

// alike reports whether only what nobody signed has changed.
func alike(a, b device.Device) bool {
	a.DisplayName = b.DisplayName
	return a == b
}

// known reads the devices of a part. Those that cannot be read are left alone.
func (q *Queries) known(tx *txn.Tx, part device.Part) (known []device.Device, _ device.Part, refused []device.Refusal, err error) {
	found, err := records.Devices.GetAll(tx, part.Devices...)
	if err != nil {
		return nil, part, nil, err
	}
	names := part.Devices
	for i, f := range found {
		switch {
		case f.OK:
			known = append(known, f.Value)
		case machine.IsSetAside(f.Err) || f.Err == nil:
		case machine.IsDamage(f.Err):
			part = part.Without(names[i])
			refused = append(refused, device.Refusal{User: part.User, Device: names[i].Device, Err: device.ErrUnreadable})
		default:
			return nil, part, nil, f.Err
		}
	}
	return known, part, refused, nil
}

func forget(tx *txn.Tx, n device.Name) error {
	d, there, err := records.Devices.Get(tx, n)
	if machine.IsDamage(err) || machine.IsSetAside(err) || err == nil && (!there || d.Gone.IsZero()) {
		return nil
	}
	if err != nil {
		return err
	}
	return records.ForgetDevice(tx, d)
}

// owners are those of the keys in an answer, as they are stored.
type owners map[ratchet.PublicKey]device.Owner

// ownersOf reads whose the keys are. One that cannot be read is somebody's, and the
// own key is the own device's, stored or not.
func ownersOf(tx *txn.Tx, v account.Account, claims []device.Claim) (owners, error) {
	var keys []ratchet.PublicKey
	for _, c := range claims {
		keys = append(keys, c.Curve25519)
	}
	found, err := records.Owners.GetAll(tx, keys...)
	if err != nil {
		return nil, err
	}
	all := owners{}
	for i, f := range found {
		switch {
		case f.OK:
			all[keys[i]] = f.Value
		case machine.IsSetAside(f.Err) || f.Err == nil:
		case machine.IsDamage(f.Err):
			all[keys[i]] = device.Owner{Key: keys[i]}
		default:
			return nil, f.Err
		}
	}
	if _, stored := all[v.Identity()]; !stored {
		all[v.Identity()] = ownOwner(v)
	}
	return all, nil
}

// bound refuses claims of keys that belong to another user, who proved that before
// any of the user's devices was known.
func bound(tx *txn.Tx, owners owners, answers device.Answers, part device.Part) (_ device.Answers, _ device.Part, refused []device.Refusal, err error) {
	claims := slices.DeleteFunc(slices.Clone(part.Claims), func(c device.Claim) bool { _, owned := owners[c.Curve25519]; return owned })
	keys := make([]ratchet.PublicKey, len(claims))
	for i, c := range claims {
		keys[i] = c.Curve25519
	}
	found, err := records.Senders.GetAll(tx, keys...)
	if err != nil {
		return answers, part, nil, err
	}
	for i, f := range found {
		c := claims[i]
		switch {
		case machine.IsSetAside(f.Err) || f.Err == nil && !f.OK:
			continue
		case f.OK && f.Value.User == part.User:
			answers = answers.Bound(c.Curve25519, part.User)
			continue
		case f.OK:
			refused = append(refused, device.Refusal{User: part.User, Device: c.Device, Err: device.ErrTaken})
		case machine.IsDamage(f.Err):
			refused = append(refused, device.Refusal{User: part.User, Device: c.Device, Err: device.ErrUnreadable})
		default:
			return answers, part, nil, f.Err
		}
		part = part.Without(c.Name)
	}
	return answers, part, refused, nil
}

func ownOwner(v account.Account) device.Owner {
	return device.Owner{Key: v.Identity(), Claimers: []device.Name{{User: v.User(), Device: v.Device()}}}
}

func (o owners) of(key ratchet.PublicKey) (device.Owner, bool) {
	owner, owned := o[key]
	return owner, owned
}

// with returns the owners that a change writes: that of the own device comes with
// it.
func (o owners) with(j device.Joined, v account.Account) []device.Owner {
	for _, d := range j.Devices {
		if d.Curve25519 == v.Identity() {
			return append(j.Owners, o[v.Identity()])
		}
	}
	return j.Owners
}

// applyIdentity changes a user's cross-signing keys, if the request is under way for
// the user still, and the signature on the own device.
func (q *Queries) applyIdentity(tx *txn.Tx, r outbox.Request, of device.Answer) ([]device.Refusal, error) {
	tx.Unsynced() // what makes the answer count is synced, and comes after
	asked, v, err := q.asked(tx, r, []matrix.UserID{of.User})
	if err != nil || len(asked) == 0 || !asked[0].Left.IsZero() {
		return nil, err
	}
	k, err := records.IdentityOf(tx, of.User)
	if machine.IsDamage(err) {
		return []device.Refusal{{User: of.User, Err: device.ErrUnreadable}}, nil
	}
	if err != nil {
		return nil, err
	}
	next, _ := k.See(of.Identity)
	if next != k {
		if err := records.Identities.Put(tx, next); err != nil {
			return nil, err
		}
		if err := changedIdentity(tx, q.account, v, k, next); err != nil {
			return nil, err
		}
	}
	if of.User != v.User() || of.Signature.By == (account.VerifyKey{}) || of.Signature.By != next.SelfSigning {
		return nil, nil
	}
	return nil, putOwnSignature(tx, v, of.Signature)
}

// putOwnSignature stores the signature on the own device. With the first one it is other
// devices that are given keys by default, so nothing is sent before that was looked at.
func putOwnSignature(tx *txn.Tx, v account.Account, s device.OwnSignature) error {
	_, before, err := records.OwnSignature.Get(tx)
	if err != nil && !machine.IsDamage(err) && !machine.IsSetAside(err) {
		return err
	}
	if err := records.PutOwnSignature(tx, v, s); err != nil || before {
		return err
	}
	if _, signed, err := records.OwnSignature.Get(tx); err != nil || !signed {
		return nil // it is none, and what cannot be read stands for one
	}
	return records.MarkAllRooms(tx)
}
