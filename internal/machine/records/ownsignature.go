package records

import (
	"encoding/json"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// OwnSignature: the self-signing key's signature on the own device, own-signature.
var OwnSignature = txn.Single[device.OwnSignature]{
	Kind: "own-signature", Codec: machine.Encoded[device.OwnSignature]{Read: device.DecodeOwnSignature},
}

func ownSignatureKind() Kind {
	return Kind{Records: one(&OwnSignature), Check: checkOwnSignature, Broken: askAgain}
}

// checkOwnSignature: the own identity, whose key made the signature, is there. Without it
// the master key that the server shows next would be the first one.
func checkOwnSignature(c *Checkup) {
	user := c.Account.Name.User
	if _, signed, err := OwnSignature.Get(c.Tx); !signed || err != nil || at(c, &Identities, user) != nothing {
		return
	}
	says := "the own device is signed by the own identity, which is missing"
	c.Find(Identities.Kind, inOne("set it aside, and ask for all devices again", func(tx *txn.Tx, a *machine.Account) error {
		if _, known, err := Identities.Get(tx, user); known || err != nil {
			return err
		}
		if err := setAsideRecord(tx, a, &Identities, user, machine.Aside{Why: says}); err != nil {
			return err
		}
		return allOutdated(tx, a)
	}), "%s", says)
}

// OwnDeviceKeys is the own device as it is sent beside messages
// (sender_device_keys): signed by itself, and by the self-signing key if that
// signed it and is still the user's. A record that is damaged adds no signature.
func OwnDeviceKeys(tx *txn.Tx, v account.Account) (json.RawMessage, error) {
	raw, err := v.DeviceKeys()
	if err != nil {
		return nil, err
	}
	s, signed, err := OwnSignature.Get(tx)
	if machine.IsDamage(err) || machine.IsSetAside(err) || err == nil && !signed {
		return raw, nil
	}
	if err != nil {
		return nil, err
	}
	own, err := IdentityOf(tx, v.User())
	if machine.IsDamage(err) || err == nil && own.SelfSigning != s.By {
		return raw, nil
	}
	if err != nil {
		return nil, err
	}
	return addSignature(raw, v, s)
}

func addSignature(raw []byte, v account.Account, s device.OwnSignature) (json.RawMessage, error) {
	object := map[string]json.RawMessage{}
	var signatures map[string]map[string]string
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(object["signatures"], &signatures); err != nil {
		return nil, err
	}
	signatures[string(v.User())]["ed25519:"+s.By.String()] = s.Signature.String()
	var err error
	if object["signatures"], err = json.Marshal(signatures); err != nil {
		return nil, err
	}
	all, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	return canonicaljson.Canonicalize(all)
}

// PutOwnSignature stores the signature of the own self-signing key, if it is one on
// the own device as it is: a server may have been told of another.
func PutOwnSignature(tx *txn.Tx, v account.Account, s device.OwnSignature) error {
	raw, err := v.DeviceKeys()
	if err != nil {
		return err
	}
	signed, err := addSignature(raw, v, s)
	if err != nil {
		return err
	}
	if account.VerifyJSON(signed, v.User(), matrix.DeviceID(s.By.String()), s.By) != nil {
		return nil
	}
	return OwnSignature.Put(tx, s)
}
