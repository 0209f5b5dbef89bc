package receive

import (
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// before fails with ErrSenderKey if an event has another sender than its sender_key
// belongs to. It is not decrypted then: the message may be a copy of one that is on
// its way.
func (c *call) before(tx *txn.Tx, i int) error {
	e := c.events[i]
	owner, owned, err := c.owner(tx, e)
	if err != nil {
		return err
	}
	if owned {
		if !slices.ContainsFunc(owner.Claimers, func(n device.Name) bool { return n.User == e.sender }) {
			return fmt.Errorf("%w: %s", ErrSenderKey, e.olm.Sender)
		}
		return nil
	}
	bound, known, err := records.Senders.Get(tx, e.olm.Sender)
	switch {
	case machine.IsSetAside(err):
		return nil
	case err != nil:
		return err
	case known && bound.User != e.sender:
		return fmt.Errorf("%w: %s", ErrSenderKey, e.olm.Sender)
	}
	return nil
}

// owner returns whose the sender key is known to be.
func (c *call) owner(tx *txn.Tx, e event) (device.Owner, bool, error) {
	o, owned, err := c.others.OwnerOf(tx, e.olm.Sender)
	if machine.IsSetAside(err) {
		return device.Owner{}, false, nil
	}
	return o, owned, err
}

// bind notes that the key is of the event's sender, who has said so in what only who
// has its private part can have encrypted.
func (c *call) bind(tx *txn.Tx, e event) error {
	_, known, err := records.Senders.Get(tx, e.olm.Sender)
	if known || err != nil && !machine.IsSetAside(err) {
		return err
	}
	return records.Senders.Put(tx, records.Sender{Key: e.olm.Sender, User: e.sender})
}

// device returns a device that is known, or nil.
func (c *call) device(tx *txn.Tx, name device.Name) (*device.Device, error) {
	d, known, err := c.others.DeviceOf(tx, name)
	switch {
	case machine.IsSetAside(err):
		return nil, nil
	case err != nil || !known:
		return nil, err
	}
	return &d, nil
}

// prove ends a dispute about the sender key, if the Ed25519 key that the event names
// is that of one of the sender's devices which claim it.
func (c *call) prove(tx *txn.Tx, owner device.Owner, sender matrix.UserID, ed25519 account.VerifyKey) (*device.Device, error) {
	for _, name := range owner.Claimers {
		if name.User != sender {
			continue
		}
		d, err := c.device(tx, name)
		if err != nil {
			return nil, err
		}
		if d != nil && d.Ed25519 == ed25519 {
			d.Disputed = false
			return d, c.others.Prove(tx, owner.Key, name, ed25519)
		}
	}
	return nil, nil
}
